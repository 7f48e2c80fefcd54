"""Deletes the images of one registry that nothing has needed for as long as its configuration says.

In doubt nothing goes: every target of the registry must be known whole and its first one led, every source that may declare
the project must have been read just now, and what is needed is gathered again before each deletion.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from controller.engine.controller import Controller
from controller.engine.needed_images import DeclaredImages
from controller.engine.retry import told
from controller.engine.sources import Publication
from controller.engine.target_loop import TargetLoop
from controller.engine.targets import RESTING
from controller.model.clean_up import Judgement, Memory, Needed, Seen, Unneeded
from controller.model.diagnostics import PROJECT
from controller.model.errors import PointsmanError, Waiting
from controller.model.ports import ClusterClient, ImageShelf
from controller.plan.clean_up import candidates, is_due, judge
from controller.state.unneeded import UnneededImages

MOST = 100
"""Deletions in one round: a wrong judgement must not empty a registry before somebody sees it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CleanedRegistry:
    """A registry as the configuration has it. `shelf` reaches the images of a project, `memory` is on the first target.

    `require_fresh` raises for a project that a source may declare which could not be read just now.
    """

    name: str
    targets: tuple[str, ...]
    keep: float
    shelf: Callable[[str], ImageShelf]
    memory: Callable[[ClusterClient], UnneededImages]
    require_fresh: Callable[[str], None]


@dataclass(slots=True)
class _Round:
    """One look at everything: what goes, what is remembered from now on, and what was in the way."""

    goes: list[tuple[str, Unneeded]] = field(default_factory=list)
    memory: dict[str, Mapping[str, Seen]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


class RegistryCleanUp:
    """Rounds over one registry, each from one thread."""

    def __init__(self, registry: CleanedRegistry, controller: Controller) -> None:
        self._registry = registry
        self._controller = controller
        self._images: DeclaredImages | None = None
        self._judged: dict[str, tuple[Publication, Needed]] = {}
        self._failed: set[str] = set()
        """Digests that could not be deleted: they come last from then on, and hold up no other."""

    def round(self, now: float) -> tuple[str, ...]:
        """Look, remember, delete; what was in the way, for a person. Raises what keeps all of the registry from it."""
        loops = self._controller.loops(self._registry.targets)
        digests = _named(loops)
        store = self._registry.memory(loops[0].target.client)
        known = store.read()
        found = self._look(loops, digests, known, now)
        if found.memory != known:
            store.write(found.memory)
        for project, item in sorted(found.goes, key=self._turn)[:MOST]:
            if not self._delete(loops, project, item, now, found.troubles):
                break
        return tuple(found.troubles)

    def _look(self, loops: tuple[TargetLoop, ...], digests: frozenset[str], known: Memory, now: float) -> _Round:
        found, publications = _Round(), self._projects()
        for project in sorted({*publications, *known}):
            before = known.get(project, {})
            try:
                self._registry.require_fresh(project)
                if project not in publications:  # nobody declares it any more: it is not touched, and not watched
                    continue
                self._judged[project] = publications[project], self._needed(loops, publications[project], digests, now)
                judged = look(self._registry.shelf(project), self._judged[project][1], before, now, self._registry.keep)
            except PointsmanError as error:
                found.troubles.append(f"{project}: {told(error)}")
                judged = Judgement(seen=before)
            found.goes += [(project, item) for item in judged.goes]
            if judged.seen:
                found.memory[project] = judged.seen
        return found

    def _projects(self) -> dict[str, Publication]:
        """Each project with who declares it: of two sources the one that is not held."""
        found: dict[str, Publication] = {}
        for publication in self._controller.publications():
            declared = publication.declared
            project = f"{declared.owner}/{declared.project}"
            if declared.owner and (project not in found or PROJECT not in declared.held):
                found[project] = publication
        return found

    def _needed(self, loops: tuple[TargetLoop, ...], publication: Publication, digests: frozenset[str], now: float) -> Needed:
        if self._images is None:
            self._images = DeclaredImages([loop.target.profile for loop in loops])
        return self._images.needed(publication, digests, now - self._registry.keep)

    def _turn(self, found: tuple[str, Unneeded]) -> tuple[bool, float, str]:
        _, item = found
        return item.digest in self._failed, item.since, item.digest

    def _delete(self, loops: tuple[TargetLoop, ...], project: str, item: Unneeded, now: float, troubles: list[str]) -> bool:
        """Whether the round may go on."""
        shelf = self._registry.shelf(project)
        try:
            if self._is_needed(loops, project, item, now):
                return True
            item = replace(item, size=shelf.size(item.digest))
            shelf.delete(item.digest)
        except PointsmanError as error:
            troubles.append(f"{shelf.name}: {told(error)}")
            self._failed.add(item.digest)
            return False
        message = f"deleted from {shelf.name}: {describe(item)}"
        units = sum(loop.image_gone(project, item.tags, message) for loop in loops)
        if not units:
            _log.info("%s: %s", project, message)
        return True

    def _is_needed(self, loops: tuple[TargetLoop, ...], project: str, item: Unneeded, now: float) -> bool:
        """Whether something needs the image now that did not when it was judged. Raises where that cannot be told any more."""
        digests = _named(loops)
        publication = self._projects().get(project)
        if publication is None or item.digest in digests:
            return True
        judged, needed = self._judged[project]
        if judged is not publication:
            needed = self._needed(loops, publication, digests, now)
        return item.digest in needed.digests or any(tag in needed.tags or tag in needed.past for tag in item.tags)


def look(shelf: ImageShelf, needed: Needed, known: Mapping[str, Seen], now: float, keep: float) -> Judgement:
    """Judge one project's images: one list, a question for each image that git does not declare, and more where one is due."""
    listed = shelf.tags()
    asked = {tag: shelf.digests(tag) for tag in candidates(listed, needed)}
    found = {tag: digests for tag, digests in asked.items() if digests}
    due = any(is_due(tag, needed, known, now, keep) for tag in found)
    others = {tag: shelf.digests(tag) if due else frozenset[str]() for tag in listed - asked.keys()}
    return judge({**others, **found}, needed, known, now, keep)


def describe(item: Unneeded) -> str:
    """An image that goes, in one line."""
    name = f" ({item.name})" if item.name else ""
    size = "" if item.size is None else f", {item.size} bytes of its own"
    return f"{' '.join(item.tags)}{name} {item.digest}{size}; {item.why}"


def _named(loops: tuple[TargetLoop, ...]) -> frozenset[str]:
    """What anything on the registry's targets names. Raises Waiting where another process leads the first of them.

    One of them is enough to tell who cleans; were it all, nobody would where two processes share them.
    """
    if not loops[0].target.leads():
        raise Waiting(f"another process leads target {loops[0].target.name}", after=RESTING)
    return frozenset().union(*(loop.named_digests() for loop in loops))
