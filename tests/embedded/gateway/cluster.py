"""Objects as Pointsman and the runtime write them, and a store that holds them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import API_VERSIONS, Object, key_of
from controller.model.ports import EventType, Labels, Listing, WatchEvent
from controller.model.routes import with_backend

NAMESPACE = "ruksi-mnist-abc123"


def service(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return _object("Service", name, spec={"selector": {labels.WORKLOAD: name}, "ports": ports})


def deployment(name: str, replicas: int) -> dict[str, Any]:
    return _object("Deployment", name, spec={"replicas": replicas})


def endpoint_slice(name: str, port: int, index: int = 0, *, ready: bool = True, terminating: bool = False) -> dict[str, Any]:
    conditions = {"ready": ready, "serving": ready or terminating, "terminating": terminating}
    made = _object("EndpointSlice", f"{name}-{index}", marks={labels.SERVICE_NAME: name, labels.WORKLOAD: name})
    endpoints = [{"addresses": ["127.0.0.1"], "conditions": conditions}]
    return {**made, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": port}]}


def route(
    path: str,
    backend: str,
    *,
    version: str = "20181002.0",
    alias: str | None = None,
    timeout: str | None = "60s",
    filters: tuple[Mapping[str, Any], ...] = (),
    name: str | None = None,
) -> dict[str, Any]:
    prefix = [{"name": "X-VH-Prefix", "value": path}, {"name": "X-Forwarded-Prefix", "value": path}]
    rule: dict[str, Any] = {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "filters": [*filters, {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": prefix}}],
    }
    if timeout:
        rule["timeouts"] = {"request": timeout}
    notes = {labels.PATH: path, labels.ENDPOINT: path.rpartition("/")[2], labels.UNIT_NAME: "/".join(path.split("/")[1:4])}
    if alias:
        notes[labels.ALIAS] = alias
    made = _object("HTTPRoute", name or path.strip("/").replace("/", "-").replace(".", "-"), notes=notes)
    template = {**made, "spec": {"parentRefs": [{"name": "pointsman", "namespace": "default"}], "rules": [rule]}}
    return with_backend(template, backend, version)


def basic_auth(secret: str) -> dict[str, Any]:
    return {"type": "ExtensionRef", "extensionRef": {"group": "pointsman.dev", "kind": "BasicAuth", "name": secret}}


def _object(kind: str, name: str, *, spec: Any = None, marks: Any = None, notes: Any = None) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": NAMESPACE}
    meta |= {"labels": marks} if marks else {}
    meta |= {"annotations": notes} if notes else {}
    made = {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": meta}
    return {**made, "spec": spec} if spec is not None else made


class Store:
    """Objects in memory with a dispatcher thread: what the gateway asks of a store, without ownership and durability."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, Object] = {}
        self._version = 0
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[WatchEvent], None]] = []
        self._events: queue.SimpleQueue[WatchEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._deliver, daemon=True)
        self._thread.start()
        self.status_writes = 0

    def close(self) -> None:
        self._events.put(None)
        self._thread.join()

    def get(self, key: ObjectKey) -> Object | None:
        return self._objects.get(key)

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        with self._lock:
            found = [o for k, o in self._objects.items() if k.kind == kind and namespace in (None, k.namespace)]
            wanted = (labels or {}).items()
            return Listing(tuple(o for o in found if wanted <= o["metadata"].get("labels", {}).items()), str(self._version))

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        with self._lock:
            old = self._objects.get(key_of(obj))
            changed = old is None or old.get("spec") != obj.get("spec")
            generation = (old["metadata"]["generation"] if old else 0) + changed
            return self._put({**obj, "status": (old or {}).get("status", {})}, generation)

    def set_status(self, key: ObjectKey, status: Mapping[str, Any]) -> Object:
        with self._lock:
            old = self._objects[key]
            if old.get("status") == status:
                return old
            self.status_writes += 1
            return self._put({**old, "status": status}, old["metadata"]["generation"])

    def _put(self, obj: Object, generation: int) -> Object:
        self._version += 1
        key = key_of(obj)
        kind = EventType.MODIFIED if key in self._objects else EventType.ADDED
        created = f"2026-01-01T00:00:{self._version % 60:02}Z" if kind is EventType.ADDED else ""
        meta = {"creationTimestamp": created, **self._objects.get(key, {}).get("metadata", {}), **obj["metadata"]}
        made = {**obj, "metadata": {**meta, "generation": generation, "resourceVersion": str(self._version)}}
        self._objects[key] = made
        self._events.put(WatchEvent(kind, made))
        return made

    def delete(self, key: ObjectKey, *, uid: str | None = None, resource_version: str | None = None) -> None:
        with self._lock:
            old = self._objects.pop(key, None)
            if old is not None:
                self._events.put(WatchEvent(EventType.DELETED, old))

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        raise AssertionError("the gateway subscribes")

    def subscribe(self, callback: Callable[[WatchEvent], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def _deliver(self) -> None:
        while (event := self._events.get()) is not None:
            for callback in list(self._callbacks):
                callback(event)
