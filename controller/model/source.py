"""What a git repository says at one revision: verified, complete, immutable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.model.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of the watched branch; prints as `main@sha1:4f1c0e...`."""

    branch: str
    commit: str

    def __str__(self) -> str:
        return f"{self.branch}@sha1:{self.commit}"

    @property
    def short(self) -> str:
        return self.commit[:10]

    @classmethod
    def parse(cls, text: str) -> Revision:
        """The inverse of `str`. Raises ValueError for anything else."""
        branch, commit = text.split("@sha1:")
        return cls(branch, commit)


def commit_in(revision: str) -> str:
    """The commit that a revision's text names; empty for a text that is none."""
    try:
        return Revision.parse(revision).commit
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class CodeTree:
    """The code of a version as git names it, without the declared directory.

    `entries` are (path, mode, object id) of the top level; a subtree's id stands for all below it, so equal
    entries mean equal code. `path` is the directory inside the repository that counts as the code's root.
    """

    repository: str
    path: str
    entries: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One file of a code tree: path relative to the code's root, git mode (`100644`, `100755`), blob id, bytes."""

    path: str
    mode: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class VersionSource:
    """What git alone says of one version file.

    `text` is the first text on the first-parent line that passed the schema: what the version *is*, for ever.
    `commit` is the named commit, else the oldest that holds the file; `provisional` while that may still change
    (a pull request, a working directory). `committed` is False for a file that git does not hold yet.
    `tree` is the git tree id at the commit; `golden` maps paths below the code's root to bytes.
    An unresolved version has an empty `commit` and its reason among the snapshot's diagnostics.
    """

    name: str
    text: bytes
    commit: str = ""
    provisional: bool = False
    committed: bool = True
    code: CodeTree | None = None
    valohai: bytes | None = None
    golden: Mapping[str, bytes] = field(default_factory=dict)
    code_files: Mapping[str, str] = field(default_factory=dict)
    """Paths below the code's root to blob ids: the top level's files and those that the version's `files` name by `path`."""
    requirements: bytes | None = None
    """`requirements-deployment.txt` if present, else `requirements.txt`, else None (Valohai's rule)."""
    locked: bool = False
    """Whether `uv.lock` says what is installed: it is there, and neither of these is."""


@dataclass(frozen=True, slots=True)
class Release:
    """A commit's `Pointsman-Allow-Prune: <deployment>` line; `position` as in `Snapshot.changed`."""

    deployment: str
    commit: str
    position: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The complete set of files below the declared directory at a revision, with what git knows about them.

    `files` maps paths relative to the repository to bytes. `changed` maps each path that was ever there, also a
    removed one, to the position of the last first-parent commit that changed it: 0 is the newest commit of the
    line, larger is older. A release with a position at or below a file's releases what that change holds.
    """

    source: str
    revision: Revision
    path: str
    files: Mapping[str, bytes]
    versions: Mapping[str, VersionSource]
    changed: Mapping[str, int] = field(default_factory=dict)
    releases: tuple[Release, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    local: bool = False
    """Read from a working directory, maybe with uncommitted changes."""
    generated: bool = False
    """Nobody declared anything: `files` say what a bare directory means, are nowhere on a disk, and no message names them."""
    changed_in: Mapping[str, str] = field(default_factory=dict)
    """The same paths as in `changed`, to the commit that changed them; what no commit holds yet is left out."""


def releases_hold(changed: Mapping[str, int], releases: Iterable[Release], deployment: str, path: str) -> bool:
    """Whether a commit since the last change of `path` allows what that change removes from `deployment`."""
    position = changed.get(path)
    return position is not None and any(r.deployment == deployment and r.position <= position for r in releases)
