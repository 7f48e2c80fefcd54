"""A Docker Engine of its own: builds the controller's image from a base of this machine, and pushes it to a registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster import images

_PATIENCE = 60.0
_BUILD = 1200.0
_ROOT = Path(__file__).parents[2]
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PACKAGES = Path("/etc/apt/apt.conf.d")
_BASE = """\
FROM scratch
ADD layer.tar.gz /
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY apt.conf.d /etc/apt/apt.conf.d
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
"""


@dataclass(frozen=True)
class Engine:
    """An engine that runs, and a folder for what builds need."""

    socket: Path
    folder: Path

    def answers(self) -> bool:
        """Whether it takes commands yet."""
        return self._done("version", timeout=_PATIENCE).returncode == 0

    def run(self, *arguments: str, timeout: float = 120.0) -> str:
        """A command of the docker client; it must succeed."""
        done = self._done(*arguments, timeout=timeout)
        assert done.returncode == 0, f"docker {arguments[0]}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def _done(self, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.folder)}
        command = ["docker", *arguments]
        return subprocess.run(command, env=environment, cwd=_ROOT, capture_output=True, text=True, timeout=timeout, check=False)

    def build_base(self) -> str:
        """The base of the test cluster's pods; it trusts whom this machine trusts, and finds packages where this one does."""
        images.make_all()
        context = self.folder / "base"
        context.mkdir()
        shutil.copy(images.base().folder / "layer.tar.gz", context)
        shutil.copy(_CERTIFICATES, context)
        shutil.copytree(_PACKAGES, context / "apt.conf.d")
        (context / "Dockerfile").write_text(_BASE)
        self.run("build", "--tag", "base:test", str(context))
        return "base:test"

    def build_controller(self, base: str, tag: str) -> None:
        """The repository's own Dockerfile, over a local base."""
        self.run("build", "--network=host", "--build-arg", f"BASE={base}", "--tag", tag, ".", timeout=_BUILD)


@contextmanager
def engine(folder: Path, registry: str) -> Iterator[Engine]:
    """An engine without a network of its own, which pushes to `registry` over plain HTTP; nothing of it remains."""
    state, client = folder / "engine", folder / "client"
    client.mkdir(parents=True)
    state.mkdir()
    short = Path(tempfile.mkdtemp(prefix="docker-"))  # the paths of its sockets have at most 104 bytes
    socket = short / "docker.sock"
    places = ["--data-root", str(state / "data"), "--exec-root", str(short / "exec"), "--pidfile", str(state / "pid")]
    quiet = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"]
    # Mounts of its own, which end with it however it ends.
    command = [
        "unshare",
        "--mount",
        "dockerd",
        *places,
        *quiet,
        "--host",
        f"unix://{socket}",
        "--insecure-registry",
        urlsplit(registry).netloc,
    ]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        made = Engine(socket, client)
        _wait(made, process, folder / "dockerd.log")
        yield made
    finally:
        process.terminate()
        process.wait(_PATIENCE)
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(short, ignore_errors=True)


def _wait(made: Engine, process: subprocess.Popen[bytes], log: Path) -> None:
    """Its socket is there a moment before it answers."""
    deadline = time.monotonic() + _PATIENCE
    while not made.answers():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.2)
