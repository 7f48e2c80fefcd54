"""A target as the engine uses it: its client, its builder, and how its gateways and nodes are asked for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from controller.model.desired import TargetProfile
from controller.model.identity import UnitKey
from controller.model.observed import NodeRoom
from controller.model.ports import ClusterClient, ImageBuilder
from controller.model.secret import Secret

Gateways = Callable[[], tuple[str, ...]]
Capacity = Callable[[], tuple[NodeRoom, ...] | None]
RESTING = 1.0
"""Seconds until a target that another process leads is looked at again."""


def always() -> bool:
    """A target that is nobody else's."""
    return True


@dataclass(frozen=True, slots=True)
class Target:
    """`gateways` answers with the base URLs of every gateway replica, `capacity` with the nodes' room (None: not allowed).

    `probe` is what the passwords for golden requests on guarded routes are made from. `leads` says whether this process is
    the one that writes to the target; while it is not, its passes rest.
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

    @property
    def host(self) -> str:
        """The host of the target's URL, with its port where that is not the usual one; empty where it has no URL."""
        return urlsplit(self.profile.url).netloc

    def probe_of(self, unit: UnitKey) -> Secret | None:
        """A password for one unit's routes. Were it ever to reach an endpoint, it would open no other unit's.

        The embedded gateway knows only the one that it was started with, and takes it off every request itself.
        """
        if self.probe is None or self.profile.kind == "embedded":
            return self.probe
        return Secret(hmac.new(self.probe.reveal().encode(), str(unit).encode(), hashlib.sha256).hexdigest())
