"""The gateway's replicas, each of which must lead to the new version before a switch counts as done."""

from __future__ import annotations

import logging
from collections.abc import Callable

from controller.model.configuration import GatewayPods, GatewaySettings
from controller.model.errors import PointsmanError
from controller.model.objects import Object, at
from controller.model.ports import ClusterClient

_log = logging.getLogger(__name__)


def gateway_replicas(settings: GatewaySettings, client: ClusterClient) -> Callable[[], tuple[str, ...]]:
    """Base URLs as configured, or of the pods as they are at each call; else the one address that people use."""
    if settings.pods:
        return _PodAddresses(settings.pods, client, settings.url)
    configured = settings.replicas or (settings.url,)
    return lambda: configured


class _PodAddresses:
    """Those of the ready pods; of the last answer while the API server gives none."""

    def __init__(self, pods: GatewayPods, client: ClusterClient, url: str) -> None:
        self._pods = pods
        self._client = client
        self._last: tuple[str, ...] = (url,)

    def __call__(self) -> tuple[str, ...]:
        try:
            found = self._client.list("Pod", namespace=self._pods.namespace, labels=self._pods.selector).items
        except PointsmanError as error:
            _log.warning("the gateway's pods cannot be listed, so %s are asked: %s", ", ".join(self._last), error)
            return self._last
        addresses = sorted({_base(pod, self._pods.port) for pod in found if _serves(pod)})
        if addresses:
            self._last = tuple(addresses)
        return self._last


def _serves(pod: Object) -> bool:
    conditions = at(pod, "status", "conditions", default=[])
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return ready and bool(at(pod, "status", "podIP")) and not at(pod, "metadata", "deletionTimestamp")


def _base(pod: Object, port: int) -> str:
    address = at(pod, "status", "podIP")
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
