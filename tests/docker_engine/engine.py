"""A Docker Engine of a test's own.

It lives in pid and mount namespaces whose first process (`keeper.py`) ends with the test: when the test's process is killed,
the kernel ends all that the Engine started and takes away its mounts, bridges and addresses.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

PATIENCE = 60.0
STOPPED = "stopped"
"""A file beside the socket: while it is there, a dockerd that ended is not the end, and comes back when the file goes."""

_ROOT = Path(__file__).parents[2]
_NUMBERS = count(1)
_APART = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc")


@dataclass(frozen=True)
class Engine:
    """An Engine that runs. `folder` is for a client's configuration and for what builds need."""

    socket: Path
    folder: Path

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def environment(self) -> dict[str, str]:
        """What leads a client here, and to a configuration of its own."""
        return {"DOCKER_HOST": self.url, "DOCKER_CONFIG": str(self.folder)}

    def answers(self) -> bool:
        """Whether it takes commands yet."""
        return self._done("version", timeout=PATIENCE).returncode == 0

    def run(self, *arguments: str, timeout: float = 600.0) -> str:
        """A command of the docker client; it must succeed."""
        done = self._done(*arguments, timeout=timeout)
        assert done.returncode == 0, f"docker {arguments[0]}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    @contextmanager
    def stopped(self, how: signal.Signals = signal.SIGTERM) -> Iterator[None]:
        """Without its dockerd, which a signal ends, as long as the block lasts; its data and its folder stay."""
        mark = self.socket.with_name(STOPPED)
        mark.touch()
        dockerd = _process_in(self.socket)
        os.kill(dockerd, how)
        _until(lambda: not Path(f"/proc/{dockerd}").exists())
        try:
            yield
        finally:
            mark.unlink()
            _until(self.answers)

    def _done(self, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.environment},
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@contextmanager
def running_engine(
    folder: Path, *, containers: bool = False, reaches: Sequence[str] = (), size: str = "", options: Sequence[str] = ()
) -> Iterator[Engine]:
    """An Engine with its data below `folder`.

    Without `containers` it has this machine's network, so that it reaches a registry on loopback, and no bridge. With it, it
    has a network of its own: containers are on its bridge, ports that they publish are open on this machine's loopback, and of
    this machine it reaches the `host:port`s that `reaches` names. `size` is
    that of its disk (`32m`), which is in memory then. `options` are dockerd's.
    """
    state, client = folder / "engine", folder / "client"
    state.mkdir(parents=True)
    client.mkdir()
    short = Path(tempfile.mkdtemp(prefix="docker-"))  # the paths of its sockets have at most 104 bytes
    group = f"pointsman-docker-{os.getpid()}-{next(_NUMBERS)}"
    network = ["--network", *reaches] if containers else []
    disk = ["--size", size] if size else []
    given = [str(state), str(short / STOPPED), group, *disk, *network, "--"]
    command = [*_APART, sys.executable, "-m", "tests.docker_engine.keeper", *given]
    with (folder / "dockerd.log").open("wb") as log:
        keeper = subprocess.Popen(
            [*command, *_dockerd(state, short, group, containers), *options],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        made = Engine(short / "docker.sock", client)
        _wait(made, keeper, folder / "dockerd.log")
        yield made
    finally:
        keeper.communicate(timeout=PATIENCE)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(short, ignore_errors=True)


def _process_in(socket: Path) -> int:
    """The dockerd that has this socket; its own number is only good in its namespace."""
    asked = f"unix://{socket}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"dockerd") and asked in words:
                return int(entry.name)
    raise AssertionError(f"no dockerd has {socket}")


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "the Engine did not stop, or start, in time"
        time.sleep(0.05)


def _dockerd(state: Path, short: Path, group: str, containers: bool) -> list[str]:
    places = ["--data-root", str(state / "data"), "--exec-root", str(short / "exec"), "--pidfile", str(state / "pid")]
    quiet = ["--iptables=false", "--ip6tables=false", "--ip-masq=false", f"--cgroup-parent=/{group}"]
    network = ["--userland-proxy-path", str(state / "proxy")] if containers else ["--bridge=none"]
    return ["dockerd", *places, *quiet, *network, "--host", f"unix://{short / 'docker.sock'}"]


def _wait(made: Engine, keeper: subprocess.Popen[bytes], log: Path) -> None:
    """Its socket is there a moment before it answers."""
    deadline = time.monotonic() + PATIENCE
    while not made.answers():
        assert keeper.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.2)
