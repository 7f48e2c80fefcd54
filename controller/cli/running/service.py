"""The daemon whole: state, sources, targets, controller and health, opened in order and closed the other way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from controller.cli.context import crash_observer
from controller.cli.narrate import ToldHistory
from controller.cli.running.cleaning import Cleaning
from controller.cli.running.cluster_target import ClusterTargets, process_name
from controller.cli.running.embedded_target import open_embedded
from controller.cli.running.health import HealthServer, Verdict
from controller.cli.running.late_target import LateTarget
from controller.cli.running.mistakes import Mistakes
from controller.cli.running.registry_cleaning import RegistryCleaning
from controller.cli.running.sources import granted, polled_source
from controller.embedded.lock import OwnerLock
from controller.engine.controller import Controller
from controller.engine.targets import Target
from controller.model.configuration import Configuration, EmbeddedAccess, StateSettings, TargetSettings
from controller.model.errors import Stalled
from controller.source.polled import PolledMirror
from controller.state.history import FileHistory

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """What runs: stop it by leaving the `running` context."""

    controller: Controller
    sources: Mapping[str, PolledMirror]
    targets: tuple[LateTarget, ...]
    cleaning: RegistryCleaning

    def life(self) -> Verdict:
        """Fails for loops that ended although nothing ends them: only a new process helps."""
        dead = [f"source {name}: nobody looks at it" for name, source in self.sources.items() if not source.is_alive]
        dead += [f"target {target.name}: nobody opens it" for target in self.targets if not target.is_alive]
        dead += [f"{name}: it ended, which nothing but the end of the process does" for name in self.controller.ended()]
        return Verdict(tuple(dead))

    def readiness(self) -> Verdict:
        """Fails for what is not known yet. A target that cannot be reached was at least tried: it keeps nobody waiting."""
        untried = [f"target {target.name}: it is being connected" for target in self.targets if not target.was_tried]
        unlisted = [] if self.controller.is_ready() else ["the objects of a target are being listed"]
        return Verdict((*untried, *unlisted), self.troubles())

    def troubles(self) -> tuple[str, ...]:
        """What cannot be read at the moment, for people; what runs goes on."""
        unread = (f"source {name}: {source.error}" for name, source in self.sources.items() if source.error)
        closed = (f"target {target.name}: {target.error}" for target in self.targets if target.error)
        return (*unread, *closed, *self.controller.target_errors(), *self.cleaning.troubles)


@contextmanager
def running(configuration: Configuration, only: Collection[str] = ()) -> Iterator[Service]:
    """Work on all targets, or on `only` these, until the context is left.

    Raises Stalled when another process uses the state directory, the health address is taken, or a source's URL is refused.
    Whatever else is wrong with a source or a target is told, tried again, and disturbs no other.
    """
    _make_directories(configuration.state)
    with ExitStack() as opened:
        opened.enter_context(OwnerLock(configuration.state.directory / "lock"))
        sources = dict(_sources(configuration, opened))
        controller = _controller(configuration, sources)
        clusters = ClusterTargets(configuration)
        opened.callback(clusters.close)
        targets = tuple(_late_targets(configuration, only, clusters, controller.add_target))
        cleaning = RegistryCleaning(configuration, only, controller, clusters, sources)
        service = Service(controller, sources, targets, cleaning)
        health = HealthServer(configuration.health, {"/healthz": service.life, "/readyz": service.readiness})
        opened.callback(health.close)
        for target in targets:
            opened.callback(target.stop)
        opened.callback(controller.stop)
        for target in targets:
            opened.callback(target.give_up)
            target.start()
        controller.start()
        for source in sources.values():
            source.start(controller.wake)
        opened.enter_context(Mistakes(controller.publications))
        opened.enter_context(Cleaning(clusters.clean))
        opened.enter_context(cleaning)
        health.start()
        try:
            yield service
        finally:  # a signal leaves by SystemExit
            _log.info("stopping: passes that run are finished, what is queued stays for the next start")


def _sources(configuration: Configuration, opened: ExitStack) -> Iterator[tuple[str, PolledMirror]]:
    for name, settings in configuration.sources.items():
        source = polled_source(settings, configuration.state)
        opened.callback(source.close)
        yield name, source


def _controller(configuration: Configuration, sources: Mapping[str, PolledMirror]) -> Controller:
    return Controller(
        [],
        [granted(configuration.sources[name], source, configuration) for name, source in sources.items()],
        ToldHistory(FileHistory(configuration.state.history), _tell),
        default=configuration.default,
        configured=tuple(configuration.targets),
        workers=configuration.concurrency,
        instance=process_name(configuration.leader_election),
        observer=crash_observer(),
    )


def _late_targets(
    configuration: Configuration, only: Collection[str], clusters: ClusterTargets, add: Callable[[Target], None]
) -> Iterator[LateTarget]:
    for name, settings in configuration.targets.items():
        if not only or name in only:
            yield LateTarget(name, partial(_open, settings, configuration.installation, clusters), add)


def _open(settings: TargetSettings, installation: str, clusters: ClusterTargets, opened: ExitStack) -> Target:
    if isinstance(settings.access, EmbeddedAccess):
        return open_embedded(settings, settings.access, installation, opened)
    return clusters.open(settings, opened)


def _make_directories(state: StateSettings) -> None:
    for path in (state.directory, state.cache, state.mirrors, state.history):
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            hint = "name a directory that this user may write to as `state.directory`"
            raise Stalled(f"the state directory {path} cannot be made: {error.strerror}", hint=hint) from error


def _tell(unit: str, event: Mapping[str, object]) -> None:
    _log.info("%s: %s %s: %s", unit, event.get("event"), event.get("subject"), event.get("message"))
