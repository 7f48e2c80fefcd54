"""Whether a commit is served by a unit whose record names another revision: by git alone, without planning."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controller.cli.tree import DeclaredTree
from controller.engine.concerning import concerned
from controller.model.errors import PointsmanError
from controller.model.source import Revision


@dataclass(frozen=True, slots=True)
class AliasAt:
    """An alias and the version that it leads to."""

    name: str
    version: str

    def ignores(self, path: str) -> bool:
        """Whether a path of its deployment, relative to the declared directory, is about other aliases or versions."""
        match path.removesuffix(".yaml").split("/"):
            case ["versions", version]:
                return version != self.version
            case ["deployments", _, "aliases", alias]:
                return alias != self.name
        return False


@dataclass(frozen=True, slots=True)
class Concerns:
    """Answers for one commit, from the repository here.

    A controller writes a unit's record only for commits that concern it. So a unit is as far as the commit too when
    nothing that concerns it was changed between its revision and the commit.
    """

    tree: DeclaredTree
    commit: str

    def declares(self, deployment: str, alias: str | None = None) -> bool:
        """Whether the commit has the deployment's directory, or this alias's file; what is written there may be a mistake."""
        directory = f"{self.tree.directory}/deployments/{deployment}"
        path = self.tree.alias_file(deployment, alias) if alias else directory
        listing = ("ls-tree", "--full-tree", "--name-only", self.commit, "--", path)
        return bool(self.commit) and bool(self.tree.git().run(*listing))

    def covers(self, revision: str, deployment: str, alias: AliasAt | None = None) -> bool:
        """Whether a unit at this revision (as its record says) has all that the commit says of its deployment.

        With `alias` only that one counts: other aliases and versions may have changed.
        """
        try:
            at = Revision.parse(revision).commit
        except ValueError:
            return False
        if at == self.commit:
            return True
        try:
            git = self.tree.git()
            if git.succeeds("merge-base", "--is-ancestor", self.commit, at):
                return True
            shape = ("diff", "--name-only", "-z", "--no-renames", "--end-of-options", at, self.commit)
            changed = git.run(*shape, "--", f":(top,literal){self.tree.directory}").decode(errors="replace")
        except PointsmanError:
            return False  # git here does not know the revision: the controller may have fetched more
        paths = concerning(filter(None, changed.split("\0")), self.tree.directory, deployment, self._deployments_of)
        return all(alias is not None and alias.ignores(path.removeprefix(f"{self.tree.directory}/")) for path in paths)

    def _deployments_of(self, version: str) -> frozenset[str] | None:
        found = self.tree.reading.versions.get(version)
        return found.deployments if found else None


def concerning(
    paths: Iterable[str], directory: str, deployment: str, deployments_of: Callable[[str], frozenset[str] | None]
) -> tuple[str, ...]:
    """PURE: the changed paths that may change anything for a deployment, by the rule that controllers follow."""
    found = ((path, concerned(path.removeprefix(f"{directory}/"), deployments_of)) for path in paths)
    return tuple(path for path, whom in found if whom is None or deployment in whom)
