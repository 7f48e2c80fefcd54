"""Makes snapshots of one repository's declared directory: everything that git says at a commit, or nothing at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.model.diagnostics import PROJECT, Diagnostic, Severity, ordered
from controller.model.errors import Stalled
from controller.model.source import Revision, Snapshot
from controller.source import declared_files, refusal
from controller.source.claims import CodePlace, code_place, project_claim
from controller.source.code import Codebase
from controller.source.declared_files import DeclaredFiles
from controller.source.lineage import Line, read_line
from controller.source.objects import ObjectReader
from controller.source.origin import CodeRepositories, Origin, is_ancestor
from controller.source.releases import ReleaseIndex
from controller.source.versions import Resolved, Surroundings, Versions, WorkingCode

UNCOMMITTED = -1
"""The position of a change that no commit holds yet: newer than every release."""


@dataclass(frozen=True, slots=True)
class Disk:
    """What a working directory adds to its head: the files as they lie there, and its code as a tree."""

    files: DeclaredFiles
    working: Callable[[str], WorkingCode]
    """From the code's path to the code."""


class SnapshotReader:
    """Reads snapshots of one branch, one after the other. Thread-safe; holds no process between two of them."""

    def __init__(
        self,
        objects: ObjectReader,
        *,
        name: str,
        directory: str,
        is_shallow_at: Callable[[str], bool],
        repositories: CodeRepositories | None = None,
    ) -> None:
        self.directory = declared_files.checked_directory(directory)
        self._project = f"{self.directory}/project.yaml"
        self._objects = objects
        self._name = name
        self._is_shallow_at = is_shallow_at
        self._repositories = repositories
        self._lock = threading.Lock()
        self._line = Line()
        self._releases = ReleaseIndex()
        self._versions = Versions(objects, self.directory)
        self._own = Origin(objects, name)
        self._bases: dict[tuple[ObjectReader, str], Codebase] = {}
        self._place: CodePlace | None = None
        self._known: dict[str, bytes] = {}

    def read(self, revision: Revision, *, disk: Disk | None = None) -> Snapshot:
        """The snapshot at a revision (its commit is empty where a branch has none yet), over `disk` where one is given."""
        with self._lock, self._objects:
            self._follow(revision.commit)
            return self._snapshot(revision, disk)

    def removed(self, snapshot: Snapshot, since: float) -> Snapshot:
        """The versions that a snapshot of here does not declare, and a commit from `since` on did.

        Only their files and `versions` are in it, and why one cannot be resolved. Raises `Stalled` where the project or its
        code was another one meanwhile: what its versions were made of then, this line does not say.
        """
        with self._lock, self._objects:
            self._follow(snapshot.revision.commit)
            self._require_one_place(since)
            place = code_place(snapshot.files.get(self._project, b""), self._project)
            origin, head = self._origin(place, snapshot.revision.commit)
            if origin is None:
                raise Stalled("the project's code repository is not granted any more")
            with origin.objects:
                found = self._versions.removed(snapshot.files, since, self._surroundings(origin, head, place, None))
        return replace(
            snapshot,
            files={f"{self.directory}/versions/{r.source.name}.yaml": r.source.text for r in found},
            versions={r.source.name: r.source for r in found},
            diagnostics=ordered(d for r in found for d in r.diagnostics),
        )

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` can reach `old`; without a process where the line says so."""
        with self._lock, self._objects:
            indexes = self._line.indexes
            if old in indexes and new in indexes:
                return indexes[old] <= indexes[new]
            return is_ancestor(self._objects, old, new)

    def _follow(self, head: str) -> None:
        line = read_line(self._objects.git, head, self.directory, self._line) if head else Line()
        if line is not self._line:
            self._line = line
            self._versions.forget(texts=True)
        if head:
            self._releases.follow(self._objects.git, line)

    def _snapshot(self, revision: Revision, disk: Disk | None) -> Snapshot:
        committed = self._committed(revision.commit)
        found = disk.files if disk else committed
        if not found.files:
            raise _nothing(self.directory, revision)
        resolved, mistakes = self._resolve(found, revision.commit, disk)
        return Snapshot(
            source=self._name,
            revision=revision,
            path=self.directory,
            files=found.files,
            versions={r.source.name: r.source for r in resolved},
            changed=self._changed(committed, found),
            releases=self._releases.releases(self._line),
            diagnostics=ordered((*found.diagnostics, *mistakes, *(d for r in resolved for d in r.diagnostics))),
            local=disk is not None,
            changed_in=self._line.changed_in(),
        )

    def _committed(self, commit: str) -> DeclaredFiles:
        root = self._objects.tree_of(commit) if commit else None
        if commit and root is None:
            raise Stalled(f"the commit {commit} is missing in git", hint="git fsck")
        found = DeclaredFiles(self.directory)
        if root:
            found = declared_files.from_tree(self._objects, root, self.directory, self._known)
        self._known = found.blobs
        return found

    def _resolve(self, found: DeclaredFiles, head: str, disk: Disk | None) -> tuple[tuple[Resolved, ...], list[Diagnostic]]:
        place = code_place(found.files.get(self._project, b""), self._project)
        if self._place != place:
            self._place = place
            self._versions.forget(texts=False)
        origin, origin_head = self._origin(place, head)
        mistakes = [*self._grant_mistake(place, origin), *self._shallow_mistake()]
        if mistakes or origin is None:
            return self._versions.unresolved(found.files, self._line), mistakes
        around = self._surroundings(origin, origin_head, place, disk)
        with origin.objects:
            return self._versions.resolve(found.files, around), []

    def _surroundings(self, origin: Origin, head: str, place: CodePlace, disk: Disk | None) -> Surroundings:
        return Surroundings(
            line=self._line,
            origin=origin,
            head=head,
            codebase=self._codebase(origin, place),
            elsewhere=place.repository is not None,
            provisional=disk is not None,
            working=_once(disk, place.path),
        )

    def _require_one_place(self, since: float) -> None:
        blobs = self._line.texts_since(self._project, since)
        texts = (self._objects.blob(blob, refusal.DECLARED_LIMIT) or b"" for blob in blobs)
        if len({project_claim(text, self._project) for text in texts}) > 1:
            message = f"{self._project} named another project or another place of its code since"
            raise Stalled(message, hint="which images its versions had before is known again once that is longer ago")

    def _origin(self, place: CodePlace, head: str) -> tuple[Origin | None, str]:
        if place.repository is None:
            return self._own, head
        granted = self._repositories.origin(place.repository) if self._repositories else None
        return granted or (None, "")

    def _codebase(self, origin: Origin, place: CodePlace) -> Codebase:
        excluded = self.directory if place.repository is None else None
        key = (origin.objects, place.path)
        if key not in self._bases:
            self._bases = {key: Codebase(origin.objects, origin.name, place.path, excluded)}
        return self._bases[key]

    def _grant_mistake(self, place: CodePlace, origin: Origin | None) -> list[Diagnostic]:
        if origin is not None:
            return []
        message = f"the code repository `{refusal.shown(str(place.repository))}` is not granted to this source"
        hint = "grant it in the controller's configuration, or remove `code.repository`"
        return [Diagnostic("PM507", Severity.ERROR, message, place.place, PROJECT, hint)]

    def _shallow_mistake(self) -> list[Diagnostic]:
        """Below a cut, nobody knows which commit and which text of a version came first."""
        line = self._line
        if not line.commits or not self._is_shallow_at(line.commits[0]):
            return []
        hint = "git fetch --unshallow (in GitHub Actions: `fetch-depth: 0` for actions/checkout)"
        message = f"the history is cut off at {line.commits[0][:10]} (a shallow clone), so versions cannot be resolved"
        return [refusal.error("PM508", message, self.directory, PROJECT, hint)]

    def _changed(self, committed: DeclaredFiles, found: DeclaredFiles) -> dict[str, int]:
        changed = self._line.changed()
        if found is not committed:
            paths = committed.files.keys() | found.files.keys()
            changed.update({p: UNCOMMITTED for p in paths if committed.files.get(p) != found.files.get(p)})
        return changed


def _once(disk: Disk | None, path: str) -> Callable[[], WorkingCode]:
    """The working directory's code, written at most once and only when a version asks for it."""
    written: list[WorkingCode] = []

    def working() -> WorkingCode:
        if disk is None:
            raise Stalled("a version file is in the snapshot but not on the first-parent line", hint="git fsck")
        if not written:
            written.append(disk.working(path))
        return written[0]

    return working


def _nothing(directory: str, revision: Revision) -> Stalled:
    """An empty tree is never a desired state."""
    at = f"at {revision}" if revision.commit else "here"
    return Stalled(f"there are no files below {directory}/ {at}", hint="pointsman init makes them")
