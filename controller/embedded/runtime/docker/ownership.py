"""The containers of one state directory on an Engine that others use too: which there are, and which nobody knows any more."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from controller.embedded.runtime.docker.containers import Containers, Facts, Gone
from controller.embedded.runtime.docker.labels import ContainerLabels
from controller.model.errors import PointsmanError, Transient

_LOG = logging.getLogger(__name__)
_TAKEN_OVER = ("running", "exited")


@dataclass(frozen=True, slots=True)
class Left:
    """A container that an earlier run left behind, running or ended."""

    labels: ContainerLabels
    facts: Facts

    @property
    def id(self) -> str:
        return str(self.facts["Id"])


class Ownership:
    """A container that carries `state`, and that no instance has, is removed at the next look. Thread-safe.

    Names are chosen here and noted first, so that a container whose making was never answered is found too.
    """

    def __init__(self, engine: Containers, state: str) -> None:
        self._engine = engine
        self._state = state
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def create(self, replica: str, configuration: Facts) -> str:
        """Make a container for a replica, and remove those that nobody knows. Its id."""
        name = f"pointsman-{replica}-{secrets.token_hex(2)}"
        self._know(name, "")
        try:
            self.remove_unknown()
            container = self._engine.create(name, configuration)
        except BaseException:
            self._disown(name)
            raise
        self._know(name, container)
        return container

    def remove(self, container: str) -> None:
        """What cannot be removed now is removed at the next look."""
        self._try_to_remove(container)
        with self._lock:
            self._known = {name: known for name, known in self._known.items() if known != container}

    def remove_unknown(self) -> bool:
        """Whether none is left. Raises what the Engine's list of them raises."""
        found = self._engine.of_state(self._state)
        with self._lock:
            unknown = [facts["Id"] for facts in found if _name(facts) not in self._known]
        removed = [self._try_to_remove(container) for container in unknown]
        return all(removed)

    def left(self) -> Iterator[Left]:
        """The newest container of each replica of an earlier run; all others are removed."""
        found = sorted(self._engine.of_state(self._state), key=lambda facts: int(facts["Created"]))
        read = [(ContainerLabels.read(facts["Labels"]), facts) for facts in found if facts["State"] in _TAKEN_OVER]
        newest = {labels.replica: (labels, facts) for labels, facts in read if labels}
        for _, facts in newest.values():
            self._know(_name(facts), facts["Id"])
        self.remove_unknown()
        for labels, facts in newest.values():
            with suppress(Gone):
                yield Left(labels, self._engine.facts(facts["Id"]))

    def remove_all(self) -> None:
        """Whether somebody knows them or not. Raises `Transient` where some are left."""
        with self._lock:
            self._known = {}
        if not self.remove_unknown():
            raise Transient("the Docker Engine cannot remove some containers", hint="`docker ps --all` lists them")

    def _try_to_remove(self, container: str) -> bool:
        try:
            self._engine.remove(container)
        except PointsmanError as error:
            _LOG.warning("the container %s is not removed yet: %s", container[:12], error.message)
            return False
        return True

    def _know(self, name: str, container: str) -> None:
        with self._lock:
            self._known[name] = container

    def _disown(self, name: str) -> None:
        with self._lock:
            self._known.pop(name, None)


def _name(facts: Facts) -> str:
    """As the list of containers has it: with a slash before it."""
    return str((facts.get("Names") or [""])[0]).removeprefix("/")
