"""Instances as containers of a Docker Engine: made, found again after a killed run, and removed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from controller.embedded.runtime.docker.configuration import configuration
from controller.embedded.runtime.docker.containers import Containers, Gone, Unstarted
from controller.embedded.runtime.docker.instance import ContainerInstance, FailedStart
from controller.embedded.runtime.docker.labels import ContainerLabels
from controller.embedded.runtime.docker.mark import EngineMark
from controller.embedded.runtime.docker.output import OutputCopy
from controller.embedded.runtime.docker.ownership import Left, Ownership
from controller.embedded.runtime.docker.users import require_other_than_root
from controller.embedded.runtime.instance import Identity, Instance, NotStarted, OpenRuntime, Surroundings, Survivor
from controller.embedded.runtime.process import sandbox
from controller.embedded.runtime.process.runtime import end_all
from controller.embedded.runtime.specification import ReplicaSpec
from controller.embedded.runtime.variables import declared_variables
from controller.model.errors import PointsmanError
from controller.render.metadata import FILE

if TYPE_CHECKING:
    from docker import DockerClient

_LOG = logging.getLogger(__name__)


def containers(client: DockerClient) -> OpenRuntime:
    """The runtime over an Engine, whose client stays open longer."""
    return partial(DockerRuntime, Containers(client))


class DockerRuntime:
    """Base images are run as they are; what an instance needs on this machine is one read-only file."""

    def __init__(self, engine: Containers, surroundings: Surroundings) -> None:
        self._engine = engine
        self._secret = surroundings.secret
        self._logs = surroundings.logs
        self._replicas = surroundings.replicas
        self._mark = EngineMark(surroundings.run)
        self._owned = Ownership(engine, self._mark.id())
        self._mark.set_containers(possible=True)

    def launch(self, spec: ReplicaSpec, identity: Identity, restarts: int, on_end: Callable[[], None]) -> Instance:
        """Make a container and start it. Raises `NotStarted`; what was made by then is removed at the next look."""
        variables = declared_variables(spec, self._secret)
        labels = self._mark.label(ContainerLabels.of(spec, identity, restarts))
        try:
            metadata = _write_metadata(identity.directory, spec.metadata)
            made = configuration(spec, hostname=identity.name, labels=labels, variables=variables, metadata=metadata)
            if spec.non_root:
                require_other_than_root(self._engine.user_of(made["Image"]))
            return self._start(self._owned.create(identity.name, made), spec, identity, on_end)
        except Gone as error:
            raise NotStarted("ErrImageNeverPull", f"not found: the Docker Engine has no image {spec.image}") from error
        except PointsmanError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise NotStarted("CreateContainerError", f"{error.message}{hint}") from error
        except OSError as error:
            raise NotStarted("CreateContainerError", f"cannot prepare the replica: {error}") from error

    def obstacle(self, spec: ReplicaSpec, words: str) -> str | None:  # noqa: ARG002  (each container has ports of its own)
        return None

    def discard(self, identity: Identity) -> None:
        sandbox.remove(identity.directory)

    def survivors(self) -> Iterator[Survivor]:
        """Containers of an earlier run, also such as have ended; processes of one that ran those are ended."""
        found = list(self._owned.left())
        end_all(self._replicas, but=frozenset(self._directory(left.labels) for left in found))
        for left in found:
            labels = left.labels
            yield Survivor(
                namespace=labels.namespace,
                workload=labels.workload,
                name=labels.replica,
                index=labels.index,
                template=labels.template,
                created=labels.created,
                restarts=labels.restarts,
                adopt=partial(self._adopt, left),
                end=partial(self._end, left),
            )

    def close(self) -> None:
        """Remove every container, also those that nobody could remove before."""
        try:
            self._owned.remove_all()
            self._mark.set_containers(possible=False)
        except PointsmanError as error:
            _LOG.error("containers may be left: %s; the next run removes them", error.message)

    def _start(self, container: str, spec: ReplicaSpec, identity: Identity, on_end: Callable[[], None]) -> Instance:
        remove = partial(self._owned.remove, container)
        try:
            self._engine.start(container)
            facts = self._engine.facts(container)
            output = self._output(container, identity.log, identity.directory)
            return ContainerInstance(self._engine, spec, facts, output, remove=remove, on_end=on_end)
        except Unstarted as error:
            return FailedStart(str(error), remove)
        except BaseException:
            remove()
            raise

    def _adopt(self, left: Left, spec: ReplicaSpec, identity: Identity, on_end: Callable[[], None]) -> Instance:
        output = self._output(left.id, identity.log, identity.directory)
        remove = partial(self._owned.remove, left.id)
        return ContainerInstance(self._engine, spec, left.facts, output, remove=remove, on_end=on_end, adopted=True)

    def _end(self, left: Left) -> None:
        """With what it printed last, which may say why nobody wants it any more."""
        labels, directory = left.labels, self._directory(left.labels)
        try:
            self._engine.signal(left.id, "SIGKILL")
            output = self._output(left.id, self._logs.path(labels.namespace, labels.workload, labels.replica), directory)
            output.begin()
            output.finish()
        except (Gone, PointsmanError, OSError) as error:
            _LOG.warning("the last output of %s is lost: %s", labels.replica, error)
        self._owned.remove(left.id)
        sandbox.remove(directory)

    def _output(self, container: str, log: Path, directory: Path) -> OutputCopy:
        return OutputCopy(self._engine, container, log, directory / "output.json", self._logs)

    def _directory(self, labels: ContainerLabels) -> Path:
        return self._replicas / labels.workload / str(labels.index)


def _write_metadata(directory: Path, text: str | None) -> str | None:
    """`valohai-metadata.json` in the replica's directory, for the container to see; its path."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if text is None:
        return None
    file = directory / FILE
    sandbox.write_read_only(file, text)
    return str(file)
