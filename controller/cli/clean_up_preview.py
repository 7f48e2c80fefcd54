"""The dry run of a clean-up: which images of this directory's project the controller would delete now. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace

from controller.cli.running.cluster_target import ClusterTargets
from controller.engine.cache import TargetCache
from controller.engine.clean_up import MOST, look
from controller.engine.needed_images import NAMING, DeclaredImages, digests_on
from controller.engine.sources import Publication
from controller.model.clean_up import Judgement, Outlook, Seen, Unneeded
from controller.model.configuration import Configuration, TargetSettings, sharing_registries
from controller.model.desired import TargetProfile
from controller.model.errors import PointsmanError, Stalled
from controller.model.ports import ClusterClient, ImageShelf

Open = Callable[[TargetSettings], AbstractContextManager[ClusterClient]]


@dataclass(frozen=True, slots=True)
class CleanUpPreview:
    """Looks at the registry of one target. `open_target` reaches the others that push to it, with the caller's rights."""

    configuration: Configuration
    targets: ClusterTargets
    settings: TargetSettings
    profile: TargetProfile
    open_target: Open

    def outlook(self, publication: Publication, now: float) -> Outlook | None:
        """What would go; None where nothing is ever deleted from this registry."""
        registry = self.settings.registry
        if registry is None or registry.clean_up is None:
            return None
        declared = publication.declared
        project = f"{declared.owner}/{declared.project}"
        found = Outlook(f"{registry.pull}/{project}", registry.clean_up.keep, now, remarks=tuple(self._remarks(project)))
        try:
            return self._judged(found, publication, project)
        except PointsmanError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return replace(found, blocked=f"{error.message}{hint}")

    def _judged(self, found: Outlook, publication: Publication, project: str) -> Outlook:
        digests: frozenset[str] = frozenset()
        known: Mapping[str, Seen] = {}
        remarks = list(found.remarks)
        with ExitStack() as opened:
            for target in self._sharing():
                client = opened.enter_context(self.open_target(target))
                digests |= _named(target, client)
                if target is self._sharing()[0]:
                    known = self._remembered(target, client, project, remarks)
        needed = DeclaredImages([self.profile]).needed(publication, digests, found.now - found.keep)
        shelf = self.targets.shelf(self.settings, project, _unhurried)
        judged = look(shelf, needed, known, found.now, found.keep)
        return replace(found, judgement=_sized(shelf, judged), remarks=tuple(remarks))

    def _sharing(self) -> tuple[TargetSettings, ...]:
        """The targets of this registry, in the order in which the controller has them."""
        groups = sharing_registries(self.configuration.targets.values())
        return next(group for group in groups if self.settings in group)

    def _remembered(
        self, target: TargetSettings, client: ClusterClient, project: str, remarks: list[str]
    ) -> Mapping[str, Seen]:
        try:
            return self.targets.memory(target, client).read().get(project, {})
        except PointsmanError as error:
            remarks.append(f"since when images are unneeded is not known here: {error.message}")
            return {}

    def _remarks(self, project: str) -> Iterator[str]:
        """What the controller knows and this directory cannot."""
        names = [name for name, source in self.configuration.sources.items() if source.grants.allows_project(project)]
        if len(names) > 1:
            yield f"the controller also asks its sources {', '.join(sorted(names))}; here only this directory was"


def _named(target: TargetSettings, client: ClusterClient) -> frozenset[str]:
    try:
        return digests_on(TargetCache.listed(client, NAMING))
    except PointsmanError as error:
        raise Stalled(f"target {target.name}: {error.message}", hint=error.hint) from error


def _sized(shelf: ImageShelf, judged: Judgement) -> Judgement:
    """With the images' sizes, as far as a page holds them."""

    def sized(item: Unneeded) -> Unneeded:
        return replace(item, size=shelf.size(item.digest))

    goes = tuple(map(sized, judged.goes[:MOST])) + judged.goes[MOST:]
    waits = tuple(map(sized, judged.waits[:MOST])) + judged.waits[MOST:]
    return replace(judged, goes=goes, waits=waits)


def _unhurried() -> None:
    """A person who waits too long ends the command."""
