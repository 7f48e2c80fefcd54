"""A working directory as a source: the commits of its checked-out branch, or what lies on the disk."""

from __future__ import annotations

from pathlib import Path

from controller.model.errors import Stalled, Transient
from controller.model.identity import content_hash
from controller.model.source import Revision, Snapshot
from controller.source import declared_files
from controller.source.code import Codebase, GitCode
from controller.source.objects import ObjectReader
from controller.source.origin import CodeRepositories
from controller.source.repository import Repository
from controller.source.snapshot import Disk, SnapshotReader
from controller.source.versions import WorkingCode
from controller.source.worktree import WorkTree


class WorkingDirectory:
    """`committed`: only what the checked-out branch holds. Otherwise the declared files on the disk count as they are,
    and a version file that git does not hold yet gets its code from the disk too.

    `path` may lie anywhere in the repository: the nearest `directory` at or above it counts, else the one at the root.
    `state` is a directory of ours; the repository itself is only read. Close it at the end.
    """

    def __init__(
        self,
        path: Path,
        *,
        directory: str = "pointsman",
        state: Path,
        committed: bool,
        repositories: CodeRepositories | None = None,
    ) -> None:
        self._path = path.resolve()
        self._committed = committed
        self._repository = Repository.around(self._path)
        if self._repository is None and committed:
            raise Stalled(f"{self._path} is not in a git repository", hint="git init, then commit")
        self._root = self._repository.work_tree if self._repository and self._repository.work_tree else self._path
        self.name = str(self._root)
        self._work_tree = WorkTree(self._root, state.resolve())
        objects = ObjectReader(self._repository.git()) if self._repository else self._work_tree.objects
        self.code = GitCode(*dict.fromkeys((objects, self._work_tree.objects))) if not committed else GitCode(objects)
        self._directory = _nearest(self._path, self._root, declared_files.checked_directory(directory))
        self._reader = SnapshotReader(
            objects,
            name=self.name,
            directory=self._directory,
            is_shallow_at=self._repository.is_shallow_at if self._repository else lambda _: False,
            repositories=repositories,
        )
        self._uses_work_tree = False
        self._last: Snapshot | None = None

    def token(self) -> str:
        """Differs whenever a snapshot would. Costs no process while git's references are plain files."""
        self.code.close_unused()
        revision = self._revision()
        if self._committed:
            return str(revision)
        work = self._work_tree.token() if self._uses_work_tree else ()
        return content_hash([str(revision), declared_files.disk_token(self._root, self._directory), work])

    def snapshot(self) -> Snapshot:
        """What is declared now. Raises `Stalled` where nothing is; an error never looks like an empty state."""
        revision = self._revision()
        if not self._committed:
            return self._reader.read(revision, disk=self._disk())
        if not revision.commit:
            raise Stalled(f"the branch {revision.branch} has no commit yet", hint="git add and git commit what you declare")
        if self._last is None or self._last.revision != revision:
            self._last = self._reader.read(revision)
        return self._last

    def removed(self, snapshot: Snapshot, since: float) -> Snapshot:
        """The versions that this snapshot of here no longer declares, and a commit from `since` on did."""
        return self._reader.removed(snapshot, since)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether the commit `new` can reach `old`."""
        return self._reader.is_ancestor(old, new)

    def close(self) -> None:
        """End what still runs."""
        self.code.close()
        self._work_tree.objects.close()

    def _revision(self) -> Revision:
        if self._repository is None:
            return Revision("worktree", "")
        return Revision(self._repository.branch(), self._repository.head())

    def _disk(self) -> Disk:
        self._uses_work_tree = False
        try:
            return Disk(declared_files.from_disk(self._root, self._directory), self._working)
        except FileNotFoundError as error:
            raise Transient(f"{error.filename} vanished while it was read") from error
        except OSError as error:
            raise Stalled(f"{error.filename}: {error.strerror}", hint="the declared files must be readable") from error

    def _working(self, path: str) -> WorkingCode:
        self._uses_work_tree = True
        return WorkingCode(
            Codebase(self._work_tree.objects, f"{self.name} (uncommitted)", path, self._directory), self._work_tree.write()
        )


def _nearest(path: Path, root: Path, directory: str) -> str:
    """The declared directory relative to the repository: a repository may hold several projects."""
    places = (place for place in (path, *path.parents) if place.is_relative_to(root))
    found = next((place / directory for place in places if (place / directory).is_dir()), root / directory)
    return found.relative_to(root).as_posix()
