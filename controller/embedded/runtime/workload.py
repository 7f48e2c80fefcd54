"""Keeps one Deployment's replicas: as many as wanted, of the current template, and its status true."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable

from controller.embedded.runtime.host import Host
from controller.embedded.runtime.instance import Identity, Survivor
from controller.embedded.runtime.replica import Replica
from controller.embedded.runtime.rollout import Member, next_step
from controller.embedded.runtime.specification import ReplicaSpec, recreates, replica_spec, wanted_replicas
from controller.embedded.runtime.status import deployment_status
from controller.embedded.runtime.writer import ReplicaWriter, StatusStore
from controller.model.identity import ObjectKey
from controller.model.objects import Object, key_of


class WorkloadRunner:
    """Used by the runner's one thread; the replicas have theirs."""

    def __init__(self, key: ObjectKey, host: Host, store: StatusStore, on_change: Callable[[], None]) -> None:
        self.key = key
        self.replicas: list[Replica] = []
        self._host = host
        self._store = store
        self._writer = ReplicaWriter(store)
        self._on_change = on_change

    def reconcile(self, deployment: Object | None, autoscaler: Object | None) -> None:
        """One look: take the next step towards what is declared and write what is true now."""
        self._collect()
        if deployment is None:
            self.stop(drain=self._host.drain)
            self._write_replicas()
            return
        try:
            spec = replica_spec(deployment)
        except ValueError as error:
            self._refuse(deployment, str(error))
            return
        wanted = wanted_replicas(deployment, autoscaler)
        self._step(spec, wanted, recreate=recreates(deployment))
        self._write_replicas()
        self._write_status(deployment, spec.template, wanted)

    def adopt(self, spec: ReplicaSpec, survivor: Survivor) -> None:
        """Go on with a replica of an earlier run."""
        self._add(spec, survivor.index, survivor)

    def stop(self, *, drain: float, grace: float | None = None) -> None:
        """Tell every replica to end; `collect` removes them once they have."""
        for replica in self.replicas:
            if not replica.stopping or grace is not None:
                replica.stop(drain=drain, grace=grace)

    def flush(self) -> None:
        """Write what changed since the last look."""
        self._collect()
        self._write_replicas()

    def _step(self, spec: ReplicaSpec, wanted: int, *, recreate: bool) -> None:
        members = [_member(r, spec.template) for r in self.replicas if not r.stopping]
        stopping = len(self.replicas) - len(members)
        step = next_step(wanted, members, stopping, recreate=recreate)
        for replica in self.replicas:
            if replica.identity.name in step.stop:
                replica.stop(drain=self._host.drain)
        if step.start:
            self._host.logs.prune(self.key.namespace, self.key.name, {r.identity.name for r in self.replicas})
        for _ in range(step.start):
            self._add(spec, _lowest_free(r.identity.index for r in self.replicas))

    def _add(self, spec: ReplicaSpec, index: int, survivor: Survivor | None = None) -> None:
        name = survivor.name if survivor else f"{spec.workload}-{index}-{secrets.token_hex(3)[:5]}"
        identity = Identity(
            name=name,
            index=index,
            directory=self._host.replicas / spec.workload / str(index),
            log=self._host.logs.path(spec.namespace, spec.workload, name),
            created=survivor.created if survivor else time.time(),
        )
        replica = Replica(spec, identity, self._host, self._on_change, survivor)
        self.replicas.append(replica)
        replica.start()

    def _collect(self) -> None:
        for replica in [r for r in self.replicas if r.gone]:
            self._writer.remove(self.key.namespace, replica.identity.name)
            self.replicas.remove(replica)

    def _write_replicas(self) -> None:
        """The ready ones first, so that the slices never list fewer than there are while one takes over from another."""
        seen = [(replica.spec, replica.status) for replica in self.replicas if not replica.gone]
        for spec, status in sorted(seen, key=lambda pair: not pair[1].ready):
            self._writer.write(spec, status)

    def _write_status(self, deployment: Object, template: str, wanted: int) -> None:
        current = [r.status for r in self.replicas if r.spec.template == template]
        old = [r.status for r in self.replicas if r.spec.template != template]
        self._store.set_status(key_of(deployment), deployment_status(deployment, wanted, current, old, time.time()))

    def _refuse(self, deployment: Object, problem: str) -> None:
        status = deployment_status(deployment, 1, (), (), time.time())
        conditions = [{**c, "message": problem} if c["type"] == "Available" else c for c in status["conditions"]]
        self._store.set_status(key_of(deployment), {**status, "conditions": conditions})


def _member(replica: Replica, template: str) -> Member:
    status = replica.status
    current = replica.spec.template == template
    blocked = status.waiting == "PortInUse"
    return Member(status.name, status.created, current, status.available and status.ready, blocked)


def _lowest_free(taken: Iterable[int]) -> int:
    used = set(taken)
    return next(index for index in range(len(used) + 1) if index not in used)
