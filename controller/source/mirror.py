"""A repository elsewhere as a source: a bare copy of its branch, whose commits count once their declared files were read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from controller.model.errors import Stalled, Transient
from controller.model.source import Revision, Snapshot
from controller.source import declared_files
from controller.source.bare import BareCopy
from controller.source.code import GitCode
from controller.source.elsewhere import GrantedRepositories
from controller.source.snapshot import SnapshotReader


class Mirror:
    """The same interface as `WorkingDirectory`; `refresh` looks at the remote, everything else reads what is here.

    `branch` None follows the remote's default branch. `local` grants `file://` and plain paths. `environment` carries
    credentials (such as `GIT_ASKPASS` or `GIT_SSH_COMMAND`) to git and never reaches a message. `repositories` are the
    others that the project's code may come from.
    """

    def __init__(
        self,
        url: str,
        *,
        state: Path,
        branch: str | None = None,
        directory: str = "pointsman",
        local: bool = False,
        environment: Mapping[str, str] | None = None,
        repositories: GrantedRepositories | None = None,
    ) -> None:
        self._copy = BareCopy(url, state=state, branch=branch, local=local, environment=environment)
        self.name = self._copy.name
        self._directory = declared_files.checked_directory(directory)
        self._repositories = repositories
        self._objects = self._copy.objects
        self.code = GitCode(self._objects, *(repositories.stores if repositories else ()))
        self._reader = SnapshotReader(
            self._objects,
            name=self.name,
            directory=self._directory,
            is_shallow_at=self._copy.is_shallow_at,
            repositories=repositories,
        )

    def refresh(self) -> bool:
        """Look at the remote and fetch what is new; True when something moved. Raises, and changes nothing, on every doubt.

        A commit counts only after its declared files were read. Other repositories are asked where code came from them.
        """
        moved = self._copy.refresh(self._verify)
        return (self._repositories.refresh() if self._repositories else False) or moved

    def token(self) -> str:
        """The verified revision, and those of the repositories that its code comes from; costs no process."""
        self.code.close_unused()
        return " ".join((str(self._copy.revision()), *(self._repositories.heads() if self._repositories else ())))

    @property
    def revision(self) -> Revision:
        """The verified one; its commit is empty before the first."""
        return self._copy.revision()

    def snapshot(self) -> Snapshot:
        """What the verified revision declares."""
        revision = self._copy.revision()
        if not revision.commit:
            raise Transient(f"{self.name} was not read yet")
        return self._reader.read(revision)

    def removed(self, snapshot: Snapshot, since: float) -> Snapshot:
        """The versions that this snapshot of here no longer declares, and a commit from `since` on did."""
        return self._reader.removed(snapshot, since)

    @property
    def was_read(self) -> bool:
        """Whether there is a verified revision, of this process or of an earlier one."""
        return bool(self._copy.revision().commit)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether the commit `new` can reach `old`."""
        return self._reader.is_ancestor(old, new)

    def close(self) -> None:
        """End what still runs."""
        self.code.close()

    def _verify(self, commit: str) -> None:
        """The declared files of the commit are readable, and there are some."""
        with self._objects:
            root = self._objects.tree_of(commit)
            if root is None:
                raise Transient(f"{self.name}: the commit {commit} did not arrive")
            if not declared_files.from_tree(self._objects, root, self._directory, {}).files:
                hint = f"a source declares its project below {self._directory}/; what runs stays as it is"
                raise Stalled(f"{self.name} has no files below {self._directory}/ at {commit[:10]}", hint=hint)
