"""Turns the Deployments of the embedded store into what its runtime runs, and keeps their status true."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from controller.embedded.runtime.host import Backoff, Host
from controller.embedded.runtime.instance import OpenRuntime, Surroundings, Survivor
from controller.embedded.runtime.logs import LogDirectory
from controller.embedded.runtime.specification import replica_spec
from controller.embedded.runtime.workload import WorkloadRunner
from controller.embedded.runtime.writer import StatusStore
from controller.model.errors import PointsmanError
from controller.model.identity import ObjectKey
from controller.model.objects import Object, key_of
from controller.model.ports import WatchEvent

_LOG = logging.getLogger(__name__)
LEFTOVER = 86400.0
"""Seconds for which the traces of a workload that is gone are kept: its output and its images."""

_RETRY = 1.0
_JOIN = 5.0


class Runner:
    """`directory` holds what the runs need (`replicas`, and what the runtime keeps) and `logs` the endpoints' output.

    `drain` seconds lie between leaving the EndpointSlices and SIGTERM, as a preStop sleep does on Kubernetes.
    """

    def __init__(
        self, store: StatusStore, runtime: OpenRuntime, directory: Path, *, logs: Path | None = None, drain: float = 1.0,
        backoff: Backoff | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self.logs = LogDirectory(logs or directory / "logs")
        surroundings = Surroundings(directory, self.logs, self._secret)
        self._host = Host(runtime(surroundings), self.logs, surroundings.replicas, backoff or Backoff(), drain)
        self._workloads: dict[ObjectKey, WorkloadRunner] = {}
        self._dirty: dict[ObjectKey, float] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._unsubscribe: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._work, name="runner", daemon=True)

    def start(self) -> None:
        """Take over or end what an earlier run left behind, then follow the store."""
        self._host.replicas.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._unsubscribe = self._store.subscribe(self._on_event)
        deployments = {key_of(d): d for d in self._store.list("Deployment").items}
        self._forget_logs(deployments)
        self._take_over(deployments)
        self._remove_stale_objects()
        for key in deployments:
            self._enqueue(key)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End every replica (SIGTERM, after `timeout` SIGKILL) and take them out of the store. Nothing is left running.

        Fine after a `start` that failed half-way, and twice.
        """
        if self._unsubscribe is not None:
            self._unsubscribe()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        for workload in self._workloads.values():
            workload.stop(drain=0.0, grace=timeout)
        for workload in self._workloads.values():
            for replica in workload.replicas:
                if not replica.join(timeout + _JOIN):
                    _LOG.error("%s has not ended; the next run will end it", replica.identity.name)
            workload.flush()
        self._host.runtime.close()

    def _secret(self, namespace: str, name: str) -> Object | None:
        return self._store.get(ObjectKey("Secret", namespace, name))

    def _on_event(self, event: WatchEvent) -> None:
        """An autoscaler has its Deployment's name."""
        key = key_of(event.object)
        if key.kind in ("Deployment", "HorizontalPodAutoscaler"):
            self._enqueue(ObjectKey("Deployment", key.namespace, key.name))

    def _enqueue(self, key: ObjectKey, after: float = 0.0) -> None:
        with self._changed:
            due = time.monotonic() + after
            self._dirty[key] = min(due, self._dirty.get(key, due))
            self._changed.notify_all()

    def _work(self) -> None:
        while (key := self._next()) is not None:
            try:
                self._reconcile(key)
            except PointsmanError as error:
                _LOG.warning("%s: %s", key, error)
                self._enqueue(key, _RETRY)
            except Exception:  # one odd Deployment must not end the others' runner
                _LOG.exception("%s cannot be run", key)
                self._enqueue(key, _RETRY)

    def _next(self) -> ObjectKey | None:
        """The next Deployment to look at, or None to end."""
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                key = min(self._dirty, key=self._dirty.__getitem__, default=None)
                if key is not None and self._dirty[key] <= now:
                    del self._dirty[key]
                    return key
                self._changed.wait(None if key is None else self._dirty[key] - now)
        return None

    def _reconcile(self, key: ObjectKey) -> None:
        deployment = self._store.get(key)
        workload = self._workloads.get(key)
        if deployment is None and workload is None:
            return
        workload = workload or self._workload(key)
        workload.reconcile(deployment, self._store.get(ObjectKey("HorizontalPodAutoscaler", key.namespace, key.name)))
        if deployment is None and not workload.replicas:
            del self._workloads[key]

    def _workload(self, key: ObjectKey) -> WorkloadRunner:
        return self._workloads.setdefault(key, WorkloadRunner(key, self._host, self._store, lambda: self._enqueue(key)))

    def _take_over(self, deployments: Mapping[ObjectKey, Object]) -> None:
        for survivor in self._host.runtime.survivors():
            if not self._adopt(survivor, deployments):
                survivor.end()

    def _adopt(self, survivor: Survivor, deployments: Mapping[ObjectKey, Object]) -> bool:
        key = ObjectKey("Deployment", survivor.namespace, survivor.workload)
        deployment = deployments.get(key)
        if deployment is None:
            return False
        try:
            spec = replica_spec(deployment)
        except ValueError:
            return False
        if spec.template != survivor.template:
            return False
        self._workload(key).adopt(spec, survivor)
        return True

    def _forget_logs(self, deployments: Collection[ObjectKey]) -> None:
        """What workloads printed that are long gone."""
        if deployments:  # without any, the store may have been lost, and the logs may say why
            self.logs.forget({(key.namespace, key.name) for key in deployments}, time.time() - LEFTOVER)

    def _remove_stale_objects(self) -> None:
        """Pods and slices of an earlier run whose replicas are gone."""
        names = {r.identity.name for w in self._workloads.values() for r in w.replicas}
        for kind in ("EndpointSlice", "Pod"):
            for obj in self._store.list(kind).items:
                if obj["metadata"]["name"] not in names:
                    self._store.delete(key_of(obj))
