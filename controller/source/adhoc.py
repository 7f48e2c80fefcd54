"""A directory without declared files as a source: what `up` runs there, said in the declared format.

Project `local/<directory>`, deployment `local`, version `work` = the directory as it lies there, alias `latest`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from controller.model.declared import FileContent
from controller.model.diagnostics import Subject
from controller.model.errors import Stalled
from controller.model.identity import UnitKey, content_hash, slug
from controller.model.source import Release, Revision, Snapshot, VersionSource
from controller.source.code import Codebase, GitCode
from controller.source.nearby_files import GivenFiles, NearbyFiles, nearby_files
from controller.source.versions import in_version
from controller.source.worktree import WorkTree

OWNER, DEPLOYMENT, VERSION, ALIAS = "local", "local", "work", "latest"
BRANCH = "worktree"
_BLOCK = 1 << 20

__all__ = ["AdHoc", "GivenFiles"]


class AdHoc:
    """The same interface as `WorkingDirectory`. The directory need not be a git repository and is only read."""

    def __init__(self, path: Path, *, state: Path, files: GivenFiles | None = None, directory: str = "pointsman") -> None:
        self._path = path.resolve()
        if not self._path.is_dir():
            raise Stalled(f"{path} is no directory")
        self.name = str(self._path)
        self._directory = directory
        self._given = dict(files or {})
        self._looked_at: tuple[Path, ...] = ()
        self._digests: dict[tuple[Path, int, int], str] = {}
        self._work_tree = WorkTree(self._path, state.resolve())
        self._codebase = Codebase(self._work_tree.objects, self.name, "", directory)
        self.code = GitCode(self._work_tree.objects)

    def token(self) -> str:
        """Differs after every edit of a file that counts; costs no process after the first time."""
        self.code.close_unused()
        given = [(str(path), _stamp(path)) for path in self._given.values() if isinstance(path, Path)]
        nearby = [(str(path), _stamp(path) if path.is_file() else None) for path in self._looked_at]
        return content_hash([self._work_tree.token(), given, nearby])

    def snapshot(self) -> Snapshot:
        """The directory as it lies there now, as if it had been declared.

        An endpoint whose file has no bytes, or that `valohai.yaml` declares wrongly, is left out with a warning. No
        removal waits for a person: nobody declared what goes. Raises Stalled where no endpoint is
        left, and as soon as there is a declared tree.
        """
        if (self._path / self._directory / "project.yaml").is_file():
            raise Stalled(
                f"{self._path} has a declared tree now: what was served before it stays as it is",
                hint="end `pointsman up` and start it again",
            )
        with self._work_tree.objects:
            tree = self._work_tree.write()
            nearby = self._nearby(tree)
            files = self._declared(nearby)
            text = files[f"{self._directory}/versions/{VERSION}.yaml"]
            source, diagnostics = in_version(
                VersionSource(VERSION, text, tree, provisional=True, committed=False), self._codebase, tree
            )
        return Snapshot(
            source=self.name,
            revision=Revision(BRANCH, tree),
            path=self._directory,
            files=files,
            versions={VERSION: source},
            changed=dict.fromkeys(files, 0),
            releases=(Release(DEPLOYMENT, tree, 0),),
            diagnostics=(*diagnostics, *nearby.warnings(Subject("version", VERSION))),
            local=True,
            generated=True,
        )

    def is_ancestor(self, old: str, new: str) -> bool:
        """A directory has no history that could be rewritten."""
        return bool(old and new)

    def removed(self, snapshot: Snapshot, since: float) -> Snapshot:  # noqa: ARG002
        """A directory has no history in which something was declared."""
        return replace(snapshot, files={}, versions={}, diagnostics=())

    def close(self) -> None:
        """End what still runs."""
        self.code.close()

    def _nearby(self, tree: str) -> NearbyFiles:
        code = self._codebase.at(tree)
        nearby = nearby_files(self._path, code.valohai if code else None, self._given)
        self._looked_at = nearby.looked_at
        nearby.require_some()
        return nearby

    def _declared(self, nearby: NearbyFiles) -> dict[str, bytes]:
        texts = {
            "project.yaml": {"format": 1, "owner": OWNER, "name": slug(self._path.name, 63)},
            f"versions/{VERSION}.yaml": self._version(nearby),
            f"deployments/{DEPLOYMENT}/deployment.yaml": {"rollout": {"keepWarm": "0s"}},
            f"deployments/{DEPLOYMENT}/aliases/{ALIAS}.yaml": {"version": VERSION},
        }
        return {f"{self._directory}/{path}": f"{json.dumps(value, indent=2)}\n".encode() for path, value in texts.items()}

    def _version(self, nearby: NearbyFiles) -> dict[str, object]:
        files = self._files(nearby.files)
        chosen = {"endpoints": list(nearby.complete)} if nearby.lacking else {}
        return {**chosen, **({"files": files} if files else {})}

    def _files(self, sources: GivenFiles) -> dict[str, dict[str, dict[str, str]]]:
        files: dict[str, dict[str, dict[str, str]]] = {}
        for (endpoint, name), given in sorted(sources.items()):
            content = (
                given
                if isinstance(given, FileContent)
                else FileContent(url=given.resolve().as_uri(), sha256=self._digest(given))
            )
            said = {"path": content.path, "url": content.url, "sha256": content.sha256}
            files.setdefault(endpoint, {})[name] = {key: value for key, value in said.items() if value}
        return files

    def _digest(self, path: Path) -> str:
        """Computed again only when the file changed."""
        key = (path, *_stamp(path))
        if key not in self._digests:
            self._digests[key] = _sha256(path)
        return self._digests[key]


def never_declared(unit: UnitKey, snapshot: Snapshot) -> bool:
    """Whether a unit is what `up` served here before there was a declared tree: git never had files of it."""
    directory = f"{snapshot.path}/deployments/{DEPLOYMENT}/"
    known = any(path.startswith(directory) for path in (*snapshot.files, *snapshot.changed))
    return (unit.owner, unit.deployment) == (OWNER, DEPLOYMENT) and not known


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return found.st_size, found.st_mtime_ns


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


def _unreadable(path: Path, error: OSError) -> Stalled:
    return Stalled(f"the file {path} cannot be read: {error.strerror}", hint="give it as --file ENDPOINT/FILE=PATH|URL")
