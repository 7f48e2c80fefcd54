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
    """Those of the ready pods; of the last answer while there is none, or the API server gives none."""

    def __init__(self, pods: GatewayPods, client: ClusterClient, url: str) -> None:
        self._pods = pods
        self._client = client
        self._last: tuple[str, ...] = (url,)
        self._told: str | None = None

    def __call__(self) -> tuple[str, ...]:
        try:
            found = self._client.list("Pod", namespace=self._pods.namespace, labels=self._pods.selector).items
        except PointsmanError as error:
            self._tell(f"the gateway's pods cannot be listed: {error}")
            return self._last
        addresses = sorted({_base(pod, self._pods.port) for pod in found if _serves(pod)})
        if addresses:
            self._last, self._told = tuple(addresses), None
        else:
            labels = ", ".join(f"{name}={value}" for name, value in self._pods.selector.items())
            self._tell(f"no ready pod in namespace {self._pods.namespace} has the labels {labels} of the target's gateway.pods")
        return self._last

    def _tell(self, reason: str) -> None:
        """Each reason once: a switch asks every second."""
        if reason != self._told:
            _log.warning("%s; so these are asked: %s", reason, ", ".join(self._last))
        self._told = reason


def _serves(pod: Object) -> bool:
    conditions = at(pod, "status", "conditions", default=[])
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return ready and bool(at(pod, "status", "podIP")) and not at(pod, "metadata", "deletionTimestamp")


def _base(pod: Object, port: int) -> str:
    address = at(pod, "status", "podIP")
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
