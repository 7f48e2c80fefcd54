"""The target of `bench.kubernetes` as both of its sides render for it."""

from __future__ import annotations

from controller.cluster.gateway import discover_gateway
from controller.model.desired import TargetProfile
from controller.model.ports import ClusterClient

_NAMESPACE, _NAME = "gateways", "pointsman"


def kubernetes_profile(client: ClusterClient) -> TargetProfile:
    """The cluster with its Gateway; the images would lie in a registry that nobody asks."""
    facts = discover_gateway(client, _NAMESPACE, _NAME)
    return TargetProfile(
        name="cluster",
        kind="kubernetes",
        url="http://gateway.example.com",
        gateway=_NAME,
        gateway_namespace=_NAMESPACE,
        gateway_class=facts.controller,
        platform="linux/amd64",
        registry="registry.example.com/pointsman",
        features=facts.features,
    )
