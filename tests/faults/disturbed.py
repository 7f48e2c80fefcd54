"""A controller in a process of its own that may die at any moment, and the traces by which its successors are judged."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from controller.embedded.remote import RemoteStore
from controller.embedded.runtime.process.survivors import read_records
from controller.embedded.state_directory import StateDirectory
from controller.model import labels
from controller.model.errors import PointsmanError
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object, at, key_of
from controller.model.record import UnitRecord
from controller.state.record_format import from_config_map
from tests.embedded.runtime.conftest import kill_everything_below, running_below
from tests.system.repository import DEPLOYMENT, OWNER, PROJECT, Repository, path

LONGEST = 120.0
UNIT = UnitKey(OWNER, PROJECT, DEPLOYMENT)
RECORD = ObjectKey("ConfigMap", UNIT.namespace, UNIT.record_name)
KINDS = ("Namespace", "ServiceAccount", "Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "HTTPRoute")
_OWN_HISTORY = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class EndState:
    """What must not depend on the path taken: objects and record, without facts, times, revisions and paths."""

    objects: Mapping[ObjectKey, frozenset[str]]
    inventory: frozenset[ObjectKey]
    conditions: frozenset[tuple[str, str]]

    def differences(self, other: EndState) -> list[str]:
        """What is here and not there, and the other way round, one line each."""
        mine, theirs = self._lines(), other._lines()
        return [f"- {line}" for line in sorted(mine - theirs)] + [f"+ {line}" for line in sorted(theirs - mine)]

    def _lines(self) -> set[str]:
        objects = {f"{key}: {leaf}" for key, leaves in self.objects.items() for leaf in leaves}
        return objects | {f"inventory: {key}" for key in self.inventory} | {f"condition: {c}" for c in self.conditions}


class Disturbed:
    """One repository and one state directory; controllers come and go."""

    def __init__(self, root: Path) -> None:
        self.repository = Repository.create(root / "echo")
        self.state = StateDirectory(root / "state")
        self._root = root
        self._starts = 0
        self._port = _free_port()

    @contextmanager
    def controller(self, kill_at: str = "", file_size: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """`pointsman up --committed`; ended and waited for on the way out, killed if it does not end by itself.

        `kill_at` is `<step>:<n>`; `file_size` the most blocks that it may write to one file, as on a disk that is full.
        """
        self._starts += 1
        up = [sys.executable, "-m", "controller", "-v", "up", "--committed", "--port", str(self._port)]
        limited = ["sh", "-c", f'ulimit -f {file_size}; exec "$@"', "sh", *up] if file_size else up
        pinned = {name: os.environ[name] for name in ("PATH", "POINTSMAN_RUNTIME")}
        environment = {**pinned, "HOME": str(self._root), "POINTSMAN_KILL_AT": kill_at}
        with (self._root / f"log-{self._starts}").open("wb") as log:
            command = [*limited, "--state", str(self.state.root), str(self.repository.root)]
            process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def log(self) -> str:
        """What the newest controller has said."""
        return (self._root / f"log-{self._starts}").read_text()

    def until(
        self, process: subprocess.Popen[bytes], reached: Callable[[], bool], seen: Callable[[], str] = lambda: ""
    ) -> bool:
        """Whether it is reached, or False if the controller dies first; `seen` says what was there instead."""
        deadline = time.monotonic() + LONGEST
        while process.poll() is None:
            with suppress(PointsmanError):
                if reached():
                    return True
            assert time.monotonic() < deadline, f"not within {LONGEST:.0f} s: {seen()}\n{self.log()[-4000:]}"
            time.sleep(0.05)
        return False

    @property
    def store(self) -> RemoteStore:
        return RemoteStore.at(self.state.socket)

    def record(self) -> UnitRecord:
        found = self.store.get(RECORD)
        return from_config_map(found) if found else UnitRecord(UNIT)

    def applied(self, commit: str) -> bool:
        return commit in self.record().applied

    def objects(self) -> dict[ObjectKey, Object]:
        listed = (self.store.list(kind, labels={labels.MANAGED_BY: "pointsman"}).items for kind in KINDS)
        return {key_of(obj): obj for items in listed for obj in items}

    def end_state(self) -> EndState:
        """What a running controller has made of the declared state."""
        record = self.record()
        conditions = frozenset((c.type, c.status) for c in record.conditions)
        objects = {key: self._lasting(obj) for key, obj in self.objects().items()}
        return EndState(objects, record.inventory, conditions)

    def ends_as(self, process: subprocess.Popen[bytes], expected: EndState) -> bool:
        """Wait for the expected end state: conditions follow what a new controller observes. False if it dies."""
        return self.until(
            process,
            lambda: not self.end_state().differences(expected),
            lambda: "\n".join(self.end_state().differences(expected)),
        )

    def said(self, name: str = "production") -> dict[str, Any]:
        """The body of the endpoint's answer, or its status where that is not 200."""
        answer = httpx2.get(f"http://127.0.0.1:{self._port}{path(name)}", timeout=60.0, trust_env=False)
        body: dict[str, Any] = answer.json() if answer.status_code == 200 else {"status": answer.status_code}
        return body

    def ports(self) -> set[int]:
        """Where the replicas listen, and the gateway."""
        replicas = {record.port for _, record in read_records(self.state.run / "replicas") if record}
        return replicas | {self._port}

    def processes(self) -> set[int]:
        """What runs of this state directory besides the controller."""
        return running_below(self.state.root)

    def nothing_left(self, ports: set[int]) -> bool:
        """Whether neither a process nor a listener remains of what ran."""
        return not self.processes() and not any(map(_listens, ports))

    def clean_up(self) -> None:
        kill_everything_below(self.state.root)

    def _lasting(self, obj: Object) -> frozenset[str]:
        meta = {k: v for k, v in obj["metadata"].items() if k not in _OWN_HISTORY}
        plain = {k: v for k, v in obj.items() if k != "status"} | {"metadata": meta}
        return frozenset(leaf.replace(str(self._root), "") for leaf in _leaves(_without_revision(plain)))


def _without_revision(value: Any) -> Any:
    if isinstance(value, Mapping):
        skipped = (labels.REVISION, labels.APPLIED)
        return {k: _without_revision(v) for k, v in value.items() if k not in skipped}
    if isinstance(value, list):
        return [_without_revision(v) for v in value if at(v, "name") != labels.HEADER_REVISION]
    return value


def _leaves(value: Any, place: str = "") -> Iterator[str]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    if not items:
        yield f"{place} = {value!r}"
    for step, below in items:
        yield from _leaves(below, f"{place}.{step}")


def _free_port() -> int:
    """Away from the default ports, so that no other controller on this machine takes it next."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60):
            return True
    except OSError:
        return False


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9, and wait until it is gone."""
    process.send_signal(signal.SIGKILL)
    process.wait()
