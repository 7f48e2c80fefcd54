"""A target as the engine uses it: its client, its builder, and how its gateway is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.model.desired import TargetProfile
from controller.model.ports import ClusterClient, ImageBuilder
from controller.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Target:
    """`gateways` are the base URLs of the gateway's replicas; `probe` authorises golden requests on guarded routes."""

    profile: TargetProfile
    client: ClusterClient
    builder: ImageBuilder
    gateways: tuple[str, ...]
    probe: Secret | None = field(default=None)

    @property
    def name(self) -> str:
        return self.profile.name
