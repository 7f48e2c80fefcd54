"""One instance that is a process of this host: where it answers, and how it is looked after and ended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from controller.embedded.runtime.instance import Ending, Identity
from controller.embedded.runtime.logs import LogDirectory, tail
from controller.embedded.runtime.process.ports import PortHolders, PortPool
from controller.embedded.runtime.process.process_table import start_time
from controller.embedded.runtime.process.replica_process import ReplicaProcess
from controller.embedded.runtime.process.search import PortSearch
from controller.embedded.runtime.process.survivors import ReplicaRecord, remove_record, write_record
from controller.embedded.runtime.readiness import probe
from controller.embedded.runtime.specification import ReplicaSpec

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Slot:
    """What one instance was given. `log_start` is where its own output begins in the replica's file."""

    ports: Mapping[int, int]
    since: float
    log_start: int


class Pools(Protocol):
    """What the instances of one runtime share."""

    ports: PortPool
    holders: PortHolders
    logs: LogDirectory


class ProcessInstance:
    """`port` is its own, or the declared one if its server does not follow the mapping."""

    def __init__(
        self, pools: Pools, spec: ReplicaSpec, identity: Identity, slot: Slot, process: ReplicaProcess, *, restarts: int,
        port: int, adopted: bool = False,
    ) -> None:  # fmt: skip
        self.since = slot.since
        self.adopted = adopted
        self.port = port
        self._pools = pools
        self._spec = spec
        self._identity = identity
        self._slot = slot
        self._process = process
        self._restarts = restarts
        self._search = PortSearch(spec.port, slot.ports)
        if port == spec.port:
            pools.holders.hold(port, identity.name)

    @property
    def ended(self) -> bool:
        return self._process.ended

    def wait(self, seconds: float) -> bool:
        return self._process.wait(seconds)

    def look(self) -> str | None:
        """A server that follows no mapping is asked on the declared port from then on; its output is kept to its limit."""
        problem = probe(self.port, self._spec.probe)
        if problem is not None and self.port != self._spec.port and self._search.finds_declared(self._process):
            problem = self._use_declared_port()
        self._pools.logs.rotate(self._identity.log)
        return problem + self._search.hint if problem else None

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def ending(self) -> Ending:
        return Ending(self._process.exit_code, tail(self._identity.log, start=self._slot.log_start))

    def forget(self) -> None:
        self._pools.ports.release(self._slot.ports.values())
        self._pools.holders.release(self._identity.name)
        with suppress(OSError):
            remove_record(self._identity.directory)

    def _use_declared_port(self) -> str | None:
        """Its server listens on the declared port itself: from now on it holds that port."""
        name = self._identity.name
        _LOG.warning("%s does not follow the port mapping: one replica of one version at a time", name)
        self.port = self._spec.port
        self._pools.holders.hold(self.port, name)
        with suppress(OSError):
            save(self._spec, self._identity, self._slot, port=self.port, restarts=self._restarts, pid=self._process.pid)
        return probe(self.port, self._spec.probe)


def save(spec: ReplicaSpec, identity: Identity, slot: Slot, *, port: int, restarts: int, pid: int) -> None:
    """Write down which process this replica is, for the next run."""
    record = ReplicaRecord(
        namespace=spec.namespace,
        workload=spec.workload,
        name=identity.name,
        index=identity.index,
        template=spec.template,
        image=spec.image,
        pid=pid,
        started=start_time(pid) or "",
        port=port,
        ports={str(declared): own for declared, own in slot.ports.items()},
        created=identity.created,
        running_since=slot.since,
        restarts=restarts,
        log_start=slot.log_start,
    )
    write_record(identity.directory, record)
