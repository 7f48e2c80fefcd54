"""Writes what the replicas do into the store: a Pod and an EndpointSlice each, and only what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from controller.embedded.runtime.specification import ReplicaSpec
from controller.embedded.runtime.status import ReplicaStatus, pod_object, pod_status, slice_object
from controller.model.identity import ObjectKey
from controller.model.objects import Object
from controller.model.ports import ClusterClient, WatchEvent

MANAGER = "pointsman-runner"


class StatusStore(ClusterClient, Protocol):
    """The embedded store as its own parts see it."""

    def set_status(self, key: ObjectKey, status: Mapping[str, Any]) -> Object:
        """Replace `.status`; nothing happens when it is equal."""
        ...

    def subscribe(self, callback: Callable[[WatchEvent], None]) -> Callable[[], None]:
        """Call back for every change, in order; the answer ends that."""
        ...


class ReplicaWriter:
    """Remembers what it wrote last. Used by one thread."""

    def __init__(self, store: StatusStore) -> None:
        self._store = store
        self._written: dict[str, ReplicaStatus] = {}
        self._ports: dict[str, int] = {}

    def write(self, spec: ReplicaSpec, status: ReplicaStatus) -> None:
        """The slice first: whoever sees a ready Pod finds its address."""
        previous = self._written.get(status.name)
        if previous == status:
            return
        self._write_slice(spec, status)
        if previous is None:
            self._store.apply(pod_object(spec, status), manager=MANAGER)
        self._store.set_status(ObjectKey("Pod", spec.namespace, status.name), pod_status(spec, status))
        self._written[status.name] = status

    def remove(self, namespace: str, name: str) -> None:
        """The slice first: nobody is sent to what is gone."""
        self._store.delete(ObjectKey("EndpointSlice", namespace, name))
        self._store.delete(ObjectKey("Pod", namespace, name))
        self._written.pop(name, None)
        self._ports.pop(name, None)

    def _write_slice(self, spec: ReplicaSpec, status: ReplicaStatus) -> None:
        """A replica between two instances keeps its slice, not ready, with the last port."""
        port = status.port or self._ports.get(status.name)
        if port is not None:
            self._ports[status.name] = port
            self._store.apply(slice_object(spec, status, port), manager=MANAGER)
