"""Which commits concern a unit: its record names them, also where they change nothing on the target.

Whoever waits for a commit (`status --wait`) has nothing but the record to know that it was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controller.engine.sources import Publication
from controller.model.source import commit_in

_EVERYBODY = ""


def concerned(path: str, deployments_of: Callable[[str], frozenset[str] | None]) -> frozenset[str] | None:
    """PURE: the deployments for which a path, relative to the declared directory, may change anything; None for all.

    `deployments_of` answers so for the name of a version.
    """
    kind, _, rest = path.partition("/")
    if path.endswith(".md"):
        return frozenset()
    if kind == "deployments":
        return frozenset({rest.partition("/")[0]})
    return deployments_of(rest.removesuffix(".yaml")) if kind == "versions" else None


@dataclass(frozen=True, slots=True)
class _Index:
    """The newest path that concerns each deployment; `_EVERYBODY` is what concerns all of them."""

    publication: Publication
    newest: dict[str, str]


class Concerning:
    """Remembers of the newest publication of each source what concerns whom: passes ask for one unit after the other."""

    def __init__(self) -> None:
        self._known: dict[str, _Index] = {}

    def has_news(self, publication: Publication, deployment: str, since: str) -> bool:
        """Whether a commit after the revision `since` changed a file of the deployment; no for what is no revision."""
        commit, newest = commit_in(since), self._newest(publication, deployment)
        if not commit or not newest or commit in (newest, publication.snapshot.revision.commit):
            return False
        return not publication.source.is_ancestor(newest, commit)

    def _newest(self, publication: Publication, deployment: str) -> str:
        """The commit that last changed a file of the deployment; empty where git holds none."""
        known = self._known.get(publication.origin)
        if known is None or known.publication is not publication:
            known = self._known[publication.origin] = _index(publication)
        snapshot = publication.snapshot
        paths = {known.newest.get(deployment), known.newest.get(_EVERYBODY)} - {None}
        path = min(filter(None, paths), key=lambda each: snapshot.changed[each], default="")
        return snapshot.changed_in.get(path, "")


def _index(publication: Publication) -> _Index:
    newest: dict[str, str] = {}
    changed = publication.snapshot.changed
    for path, deployment in _pairs(publication):
        if deployment not in newest or changed[path] < changed[newest[deployment]]:
            newest[deployment] = path
    return _Index(publication, newest)


def _pairs(publication: Publication) -> Iterator[tuple[str, str]]:
    versions, snapshot = publication.declared.versions, publication.snapshot

    def deployments_of(version: str) -> frozenset[str] | None:
        found = versions.get(version)
        return found.deployments if found else None

    for path, position in snapshot.changed.items():
        if position < 0:
            continue  # no commit holds that yet
        names = concerned(path.removeprefix(f"{snapshot.path}/"), deployments_of)
        for name in (_EVERYBODY,) if names is None else names:
            yield path, name
