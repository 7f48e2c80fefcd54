"""Every replica of a target is one real HTTP server in this process: its status is written as the process runtime writes it."""

from __future__ import annotations

from contextlib import suppress

from controller.embedded.runtime.specification import replica_spec
from controller.embedded.runtime.status import ReplicaStatus, deployment_status, slice_object
from controller.embedded.store import EmbeddedStore
from controller.model.errors import Conflict
from controller.model.identity import ObjectKey
from controller.model.images import Image, ImageSpec
from controller.model.objects import Object, at, key_of
from controller.model.ports import CodeReader, EventType, Progress, WatchEvent

MANAGER = "pointsman-runtime"


class Replicas:
    """Answers each Deployment in the store with as many ready replicas as it wants, all of them at `port`."""

    def __init__(self, store: EmbeddedStore, port: int) -> None:
        self._store, self._port = store, port
        self._running: dict[ObjectKey, tuple[ReplicaStatus, ...]] = {}
        self.stop = store.subscribe(self._hear)

    def _hear(self, event: WatchEvent) -> None:
        if event.object["kind"] != "Deployment":
            return
        if event.type is EventType.DELETED:
            self._run(event.object, 0)
            return
        wanted = int(at(event.object, "spec", "replicas", default=1))
        replicas = self._run(event.object, wanted)
        with suppress(Conflict):  # deleted in the meantime
            self._store.set_status(key_of(event.object), deployment_status(event.object, wanted, replicas, (), 0.0))

    def _run(self, deployment: Object, wanted: int) -> tuple[ReplicaStatus, ...]:
        key, spec = key_of(deployment), replica_spec(deployment)
        before = self._running.get(key, ())
        now = tuple(_ready(f"{key.name}-{number}", self._port) for number in range(wanted))
        for replica in now[len(before) :]:
            self._store.apply(slice_object(spec, replica, self._port), manager=MANAGER)
        for replica in before[len(now) :]:
            self._store.delete(ObjectKey("EndpointSlice", key.namespace, replica.name))
        self._running[key] = now
        return now


def _ready(name: str, port: int) -> ReplicaStatus:
    return ReplicaStatus(name, created=0.0, waiting=None, running_since=0.0, port=port, ready_since=0.0, available=True)


class BuiltImages:
    """A registry that has every image that anybody asks for."""

    def __init__(self) -> None:
        self.looks = 0

    def find(self, spec: ImageSpec) -> Image | None:
        self.looks += 1
        return Image(spec.key, f"{spec.repository}@sha256:{spec.key}", f"sha256:{spec.key}")

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        raise AssertionError(f"{spec.tag} was there already: {code}, {progress}")
