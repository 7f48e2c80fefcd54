"""A containerd of a test's own, with runc: it pulls, unpacks and runs images as a node does.

It lives in namespaces that end with the test's process, as a test's Docker Engine does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

_APART = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc")
_PATIENCE = 60.0
_ROOT = Path(__file__).parents[2]
_NUMBERS = count(1)
_UNUSED = [f"io.containerd.snapshotter.v1.{name}" for name in ("aufs", "btrfs", "devmapper", "zfs")]
_CONFIG = """\
version = 2
root = "{place}/root"
state = "{place}/state"
disabled_plugins = {unused}
[grpc]
address = "{place}/socket"
[ttrpc]
address = "{place}/ttrpc"
"""


@dataclass(frozen=True)
class Containerd:
    """One that runs; `place` is where it keeps what it unpacks."""

    place: Path
    group: str

    def pull(self, reference: str) -> None:
        """Fetch from a registry of plain HTTP, and unpack."""
        self.run("images", "pull", "--plain-http", reference)

    def start(self, reference: str) -> str:
        """Run an image's own command to its end, without a network; what it prints."""
        name = f"run-{next(_NUMBERS)}"
        return self.run("run", "--rm", "--cgroup", f"/{self.group}/{name}", reference, name)

    def unpacked(self, chain: str) -> list[Path]:
        """What each layer of a chain of layers has put on the disk, from the base up."""
        mounts = json.loads(self.run("snapshots", "view", "--mounts", f"view-{next(_NUMBERS)}", chain))
        layers = next(option for option in mounts[0]["Options"] if option.startswith("lowerdir="))
        return [Path(path) for path in reversed(layers.removeprefix("lowerdir=").split(":"))]

    def run(self, *arguments: str) -> str:
        """A command of containerd's client, which must succeed; what it prints."""
        done = self._done(*arguments)
        assert done.returncode == 0, f"ctr {arguments[0]}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def _done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["ctr", "--address", str(self.place / "socket"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)


@contextmanager
def running_containerd() -> Iterator[Containerd]:
    """A containerd until the block ends; nothing of it remains."""
    missing = [name for name in ("containerd", "ctr", "runc", "unshare") if shutil.which(name) is None]
    assert not missing, f"these tests need {', '.join(missing)}: apt install containerd runc util-linux"
    assert os.geteuid() == 0, "these tests unpack images as a node does, and need to be root for that"
    place = Path(tempfile.mkdtemp(prefix="containerd-"))
    group = f"pointsman-containerd-{os.getpid()}-{next(_NUMBERS)}"
    config = place / "config.toml"
    config.write_text(_CONFIG.format(place=place, unused=json.dumps(["io.containerd.grpc.v1.cri", *_UNUSED])))
    keep = [*_APART, sys.executable, "-m", "tests.docker_engine.keeper", str(place), str(place / "stopped"), group, "--"]
    with (place / "log").open("wb") as log:
        keeper = subprocess.Popen(
            [*keep, "containerd", "--config", str(config)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        made = Containerd(place, group)
        _wait(made, keeper)
        yield made
    finally:
        keeper.communicate(timeout=_PATIENCE)
        shutil.rmtree(place, ignore_errors=True)


def _wait(made: Containerd, keeper: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while made._done("version").returncode != 0:
        log = (made.place / "log").read_text()
        assert keeper.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.1)
