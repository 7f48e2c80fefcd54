"""A target as the engine uses it: its client, its builder, and how its gateways and nodes are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.model.desired import TargetProfile
from controller.model.observed import NodeRoom
from controller.model.ports import ClusterClient, ImageBuilder
from controller.model.secret import Secret

Gateways = Callable[[], tuple[str, ...]]
Capacity = Callable[[], tuple[NodeRoom, ...] | None]


def always() -> bool:
    """A target that is nobody else's."""
    return True


@dataclass(frozen=True, slots=True)
class Target:
    """`gateways` answers with the base URLs of every gateway replica, `capacity` with the nodes' room (None: not allowed).

    `probe` authorises golden requests on guarded routes. `leads` says whether this process is the one that writes to the
    target; while it is not, its passes rest.
    """

    profile: TargetProfile
    client: ClusterClient
    builder: ImageBuilder
    gateways: Gateways
    probe: Secret | None = None
    capacity: Capacity | None = None
    leads: Callable[[], bool] = always

    @property
    def name(self) -> str:
        return self.profile.name
