"""Instances as processes of this host: image, environment, Secrets, directory, ports, process; and what a killed run left."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from controller.embedded.runtime.instance import Identity, Instance, NotStarted, OpenRuntime, Surroundings, Survivor
from controller.embedded.runtime.logs import size_of
from controller.embedded.runtime.process import sandbox
from controller.embedded.runtime.process.conflict import blocked_message, says_port_in_use
from controller.embedded.runtime.process.environment import PythonEnvironments
from controller.embedded.runtime.process.instance import ProcessInstance, Slot, save
from controller.embedded.runtime.process.places import Places, command_line, process_environment
from controller.embedded.runtime.process.ports import PortHolders, PortPool, is_free
from controller.embedded.runtime.process.replica_process import adopt, spawn
from controller.embedded.runtime.process.survivors import ReplicaRecord, end_survivors, read_records
from controller.embedded.runtime.specification import ReplicaSpec
from controller.embedded.runtime.variables import declared_variables
from controller.model.errors import PointsmanError, Stalled
from controller.model.ports import ImageUnpacker, UnpackedImage

SEARCH_PATH = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
"""Where a replica finds the system's programs, after its environment's own."""


def processes(unpacker: ImageUnpacker, search_path: str = SEARCH_PATH) -> OpenRuntime:
    """The runtime that needs nothing but this host."""
    return partial(ProcessRuntime, unpacker, search_path)


class ProcessRuntime:
    """The host's Python runs the code of the version; base images are not run."""

    def __init__(self, unpacker: ImageUnpacker, search_path: str, surroundings: Surroundings) -> None:
        self.ports = PortPool()
        self.holders = PortHolders()
        self.logs = surroundings.logs
        self._unpacker = unpacker
        self._search_path = search_path
        self._secret = surroundings.secret
        self._replicas = surroundings.replicas
        self._environments = PythonEnvironments(surroundings.run / "environments")

    def launch(self, spec: ReplicaSpec, identity: Identity, restarts: int, on_end: Callable[[], None]) -> Instance:
        """Start one instance. Raises `NotStarted`; its ports are given back then."""
        unpacked = self._unpack(spec)
        declared = declared_variables(spec, self._secret)
        ports: dict[int, int] = {}
        try:
            environment = self._environments.prepare(unpacked.packages)
            places = sandbox.prepare(identity.directory, unpacked, environment, spec.metadata)
            for port in spec.ports:
                ports[port] = self.ports.reserve()
            slot = Slot(ports, time.time(), size_of(identity.log))
            return self._spawn(spec, identity, slot, places=places, declared=declared, restarts=restarts, on_end=on_end)
        except (OSError, ValueError, RuntimeError, PointsmanError) as error:  # RuntimeError: the system gives no more threads
            self.ports.release(ports.values())
            raise NotStarted("CreateContainerError", f"cannot prepare the replica: {error}") from error

    def obstacle(self, spec: ReplicaSpec, words: str) -> str | None:
        """Why another start would end the same way: the declared port, which its server binds itself, is somebody else's."""
        if not says_port_in_use(words) or is_free(spec.port):
            return None
        return blocked_message(spec.port, self.holders.holder(spec.port))

    def discard(self, identity: Identity) -> None:
        sandbox.remove(identity.directory)

    def survivors(self) -> Iterator[Survivor]:
        """Processes whose leader still runs; their ports are taken from now on, until they are ended."""
        self._environments.remove_unusable()
        for workload in self._replicas.glob("*"):
            with suppress(OSError):  # it is not empty
                workload.rmdir()
        for directory, record in read_records(self._replicas):
            if record is None or not record.alive:
                _end(directory, record)
            else:
                self.ports.claim(record.ports.values())
                yield self._survivor(directory, record)

    def close(self) -> None:
        """Nothing: every process has ended with its replica."""

    def _survivor(self, directory: Path, record: ReplicaRecord) -> Survivor:
        def end() -> None:
            _end(directory, record)
            self.ports.release(record.ports.values())

        return Survivor(
            namespace=record.namespace,
            workload=record.workload,
            name=record.name,
            index=record.index,
            template=record.template,
            created=record.created,
            restarts=record.restarts,
            adopt=partial(self._readopt, record),
            end=end,
        )

    def _readopt(self, record: ReplicaRecord, spec: ReplicaSpec, identity: Identity, on_end: Callable[[], None]) -> Instance:
        ports = {int(declared): own for declared, own in record.ports.items()}
        slot = Slot(ports, record.running_since, record.log_start)
        process = adopt(record.pid, record.started, str(identity.directory), on_end)
        return ProcessInstance(self, spec, identity, slot, process, restarts=record.restarts, port=record.port, adopted=True)

    def _spawn(
        self, spec: ReplicaSpec, identity: Identity, slot: Slot, *, places: Places, declared: Mapping[str, str],
        restarts: int, on_end: Callable[[], None],
    ) -> Instance:  # fmt: skip
        marker = str(identity.directory)
        port = slot.ports[spec.port]
        process = spawn(
            command_line(spec, places, declared, slot.ports),
            cwd=places.code,
            environment=process_environment(
                declared, places, slot.ports, port=spec.port, marker=marker, search_path=self._search_path
            ),
            log=identity.log,
            marker=marker,
            record=lambda pid: save(spec, identity, slot, port=port, restarts=restarts, pid=pid),
            on_exit=on_end,
        )
        return ProcessInstance(self, spec, identity, slot, process, restarts=restarts, port=port)

    def _unpack(self, spec: ReplicaSpec) -> UnpackedImage:
        try:
            return self._unpacker.unpack(spec.image)
        except Stalled as error:
            raise NotStarted("ErrImageNeverPull", error.message) from error
        except (PointsmanError, OSError) as error:
            raise NotStarted("ImagePullBackOff", f"cannot unpack {spec.image}: {error}") from error


def end_all(replicas: Path, but: Collection[Path] = ()) -> None:
    """End every process that an earlier run left below a directory of replicas, and remove all but these directories."""
    for directory, record in read_records(replicas):
        if directory not in but:
            _end(directory, record)


def _end(directory: Path, record: ReplicaRecord | None) -> None:
    end_survivors(directory, record)
    sandbox.remove(directory)
