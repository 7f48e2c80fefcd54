"""The chosen target, opened for one command with the caller's own rights."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.cli.context import Place, cluster_client, config_home, find_place
from controller.cli.reach.choice import Kubernetes, choices, the_only
from controller.cli.reach.known import known_targets
from controller.cli.reach.limits import Limited
from controller.cli.reach.options import EMBEDDED, Where
from controller.loading.documents import parse
from controller.loading.nodes import find, text_of
from controller.model.errors import PointsmanError, Stalled
from controller.model.identity import UnitKey
from controller.model.ports import ClusterClient

if TYPE_CHECKING:
    from controller.cluster.client import KubernetesClient


@dataclass(frozen=True, slots=True)
class Reached:
    """A target that a command reads and writes. `place` is set for the embedded one, `is_run` if its controller runs;
    `kubernetes` is the whole client of the other kind, which can do more than the port says.

    `project` is the owner and name that the repository here declares: a cluster may hold those of others too.
    """

    name: str
    client: ClusterClient
    place: Place | None = None
    project: tuple[str, str] | None = None
    is_run: bool = False
    kubernetes: KubernetesClient | None = None

    def concerns(self, unit: UnitKey) -> bool:
        """Whether a unit is one of those that this command is about."""
        return self.project in (None, (unit.owner, unit.project))


def chosen_clusters(where: Where) -> tuple[Kubernetes, ...]:
    """The Kubernetes targets that are meant, none for the embedded one."""
    file = config_home() / "pointsman" / "targets.yaml"
    return choices(where, known_targets(file), file, embedded=_was_served(where))


@contextmanager
def reach(where: Where) -> Iterator[Reached]:
    """The one target that a command works on. Raises Stalled that lists them where several are known and none is named."""
    found = chosen_clusters(where)
    if found:
        with reach_cluster(the_only(found), where) as reached:
            yield reached
        return
    place = find_place(None, where.state)
    is_run = place.state.owner is not None
    with cluster_client(place) as client:
        yield Reached(EMBEDDED, client, place, is_run=is_run)


@contextmanager
def reach_cluster(choice: Kubernetes, where: Where) -> Iterator[Reached]:
    """One Kubernetes target, by the caller's kubeconfig."""
    opened: Callable[[Kubernetes], AbstractContextManager[KubernetesClient]]
    opened = importlib.import_module("controller.cli.reach.cluster").open_cluster
    project = None if where.namespace else declared_project()
    fallback = UnitKey(*project, "").namespace if project else None
    with opened(choice) as client:
        name = choice.name or client.exchange.connection.context_name
        yield Reached(name, Limited(client, where.namespace, fallback), project=project, kubernetes=client)


def declared_project(start: Path | None = None) -> tuple[str, str] | None:
    """Owner and name of the project that is declared here, None where none is or its file cannot be read."""
    try:
        place = find_place(start, None)
        root = parse((place.declared_root / "project.yaml").read_bytes()).root
    except (OSError, PointsmanError):
        return None
    owner, name = text_of(find(root, "owner")), text_of(find(root, "name"))
    return (owner, name) if owner and name else None


def _was_served(where: Where) -> bool:
    """Whether the embedded target has anything to tell of this source."""
    try:
        state = find_place(None, where.state).state
    except Stalled:
        return False
    return state.owner is not None or state.store.is_dir()
