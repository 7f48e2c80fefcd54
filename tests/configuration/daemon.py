"""`pointsman run` as a process of its own, over a configuration that a test writes, asked over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from tests.embedded.runtime.conftest import kill_everything_below
from tests.system.repository import DEPLOYMENT, PROJECT, path

LONGEST = 120.0
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def source(root: Path, *projects: str, **more: Any) -> dict[str, Any]:
    """A source that is looked at every second."""
    return {"repository": f"file://{root}", "interval": "1s", "grants": {"projects": list(projects)}, **more}


@dataclass
class Daemon:
    """The process, its configuration and the ports on which it answers."""

    folder: Path
    health: int
    gateways: Mapping[str, int]
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def of(
        cls,
        folder: Path,
        sources: Mapping[str, Any],
        targets: tuple[str, ...] = ("here",),
        also: Mapping[str, Any] | None = None,
    ) -> Daemon:
        """With embedded targets, of which the first is the default one, and others as they are configured."""
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder, free_port(), {name: free_port() for name in targets})
        ways = {name: {"port": port, "runtime": "process"} for name, port in made.gateways.items()}
        embedded = {name: {"embedded": way, "default": name == targets[0]} for name, way in ways.items()}
        document = {
            "format": 1,
            "state": {"directory": "state"},
            "health": {"address": f"127.0.0.1:{made.health}"},
            "log": "json",
            "sources": dict(sources),
            "targets": {**embedded, **(also or {})},
        }
        made.file.write_text(json.dumps(document))
        return made

    @property
    def file(self) -> Path:
        return self.folder / "controller.yaml"

    def command(self, *more: str) -> list[str]:
        return [sys.executable, "-m", "controller", "run", "--config", str(self.file), *more]

    def start(self, *more: str) -> None:
        with (self.folder / "log").open("ab") as log:
            environment = {**os.environ, "XDG_STATE_HOME": str(self.folder / "xdg")}
            self.process = subprocess.Popen(self.command(*more), stdout=log, stderr=log, env=environment)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Signal the process and wait for its end."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(LONGEST)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    def health_answer(self, place: str) -> tuple[int, str]:
        try:
            answer = httpx2.get(f"http://127.0.0.1:{self.health}{place}", timeout=60.0)
        except httpx2.HTTPError as error:
            return 0, str(error)
        return answer.status_code, answer.text

    def said(self, name: str, *, project: str = PROJECT, deployment: str = DEPLOYMENT, target: str = "here") -> dict[str, Any]:
        """What the endpoint says, or nothing while it does not."""
        url = f"http://127.0.0.1:{self.gateways[target]}{path(name, deployment, project=project)}"
        try:
            answer = httpx2.get(url, timeout=60.0)
        except httpx2.HTTPError:
            return {}
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found

    def until(self, look: Callable[[], T]) -> T:
        """Look until the answer is true; the log is the failure's message."""
        deadline = time.monotonic() + LONGEST
        while not (found := look()):
            assert self.process
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)
        return found


@contextmanager
def started(daemon: Daemon, *more: str) -> Iterator[Daemon]:
    """Runs while the block does; nothing of it is left afterwards."""
    try:
        daemon.start(*more)
        yield daemon
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        kill_everything_below(daemon.folder)
