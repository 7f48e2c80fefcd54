"""From a specification to a running process: image, environment, Secrets, directory, ports, process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from controller.embedded.runtime import sandbox
from controller.embedded.runtime.host import Host
from controller.embedded.runtime.logs import size_of
from controller.embedded.runtime.process import ReplicaProcess, adopt, spawn
from controller.embedded.runtime.process_table import start_time
from controller.embedded.runtime.specification import ReplicaSpec
from controller.embedded.runtime.survivors import ReplicaRecord, write_record
from controller.embedded.runtime.variables import MissingSecret, Places, command_line, process_environment, variables
from controller.model.errors import PointsmanError, Stalled
from controller.model.ports import UnpackedImage


class NotStarted(Exception):
    """Why no process runs: `reason` in Kubernetes' words, `message` in ours."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Identity:
    """Which replica this is. `created` in seconds since the epoch."""

    name: str
    index: int
    directory: Path
    log: Path
    created: float


@dataclass(frozen=True, slots=True)
class Slot:
    """What one instance was given. `log_start` is where its own output begins in the replica's file."""

    ports: Mapping[int, int]
    since: float
    log_start: int


@dataclass(slots=True)
class Running:
    """A started instance. `port` is where it answers: its own, or the declared one if it does not follow the mapping."""

    process: ReplicaProcess
    slot: Slot
    port: int


def launch(host: Host, spec: ReplicaSpec, identity: Identity, restarts: int, on_exit: Callable[[], None]) -> Running:
    """Start one instance. Raises `NotStarted`; its ports are given back then."""
    unpacked = _unpack(host, spec)
    declared = _declared(host, spec)
    ports: dict[int, int] = {}
    try:
        environment = host.environments.prepare(unpacked.packages)
        places = sandbox.prepare(identity.directory, unpacked, environment, spec.metadata)
        for port in spec.ports:
            ports[port] = host.ports.reserve()
        slot = Slot(ports, time.time(), size_of(identity.log))
        return _spawn(
            host, spec, identity, slot, places=places, declared=declared, restarts=restarts, on_exit=on_exit
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError, PointsmanError) as error:  # RuntimeError: the system gives no more threads
        host.ports.release(ports.values())
        raise NotStarted("CreateContainerError", f"cannot prepare the replica: {error}") from error


def _spawn(
    host: Host, spec: ReplicaSpec, identity: Identity, slot: Slot, *, places: Places, declared: Mapping[str, str],
    restarts: int, on_exit: Callable[[], None],
) -> Running:  # fmt: skip
    marker = str(identity.directory)
    port = slot.ports[spec.port]
    process = spawn(
        command_line(spec, places, declared, slot.ports),
        cwd=places.code,
        environment=process_environment(
            declared, places, slot.ports, port=spec.port, marker=marker, search_path=host.search_path
        ),
        log=identity.log,
        marker=marker,
        record=lambda pid: save(spec, identity, slot, port=port, restarts=restarts, pid=pid),
        on_exit=on_exit,
    )
    return Running(process, slot, port)


def readopt(record: ReplicaRecord, directory: Path, on_exit: Callable[[], None]) -> Running:
    """Take over what an earlier run started."""
    ports = {int(declared): own for declared, own in record.ports.items()}
    slot = Slot(ports, record.running_since, record.log_start)
    return Running(adopt(record.pid, record.started, str(directory), on_exit), slot, record.port)


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


def _declared(host: Host, spec: ReplicaSpec) -> dict[str, str]:
    try:
        return variables(spec, partial(host.secret, spec.namespace))
    except MissingSecret as error:
        raise NotStarted("CreateContainerConfigError", str(error)) from error


def _unpack(host: Host, spec: ReplicaSpec) -> UnpackedImage:
    try:
        return host.unpacker.unpack(spec.image)
    except Stalled as error:
        raise NotStarted("ErrImageNeverPull", error.message) from error
    except (PointsmanError, OSError) as error:
        raise NotStarted("ImagePullBackOff", f"cannot unpack {spec.image}: {error}") from error
