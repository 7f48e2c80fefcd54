"""The real distribution registry (Debian's `docker-registry`) on loopback, with its storage in a directory."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server

import httpx2

CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{storage}"}}
  cache: {{blobdescriptor: inmemory}}
  delete: {{enabled: true}}
http: {{addr: "{address}"}}
{more}
"""
PROGRAM = shutil.which("docker-registry") or shutil.which("registry")


@dataclass
class Registry:
    """A running registry. `storage` holds its files; `restart` empties its memory of blobs."""

    address: str
    storage: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def blob(self, digest: str) -> Path:
        digits = digest.removeprefix("sha256:")
        return self.storage / "docker/registry/v2/blobs/sha256" / digits[:2] / digits / "data"

    def tags(self, repository: str) -> list[str]:
        found = self.storage / "docker/registry/v2/repositories" / repository / "_manifests/tags"
        return sorted(path.name for path in found.iterdir()) if found.exists() else []

    def uploads(self, repository: str) -> list[Path]:
        """What was begun to be received, and neither finished nor cancelled; a cancelled one leaves an empty directory."""
        return list((self.storage / "docker/registry/v2/repositories" / repository / "_uploads").glob("*/data"))


def free_address() -> str:
    with create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def running_registry(
    directory: Path, more: str = "", address: str = "", within: Callable[[Path, list[str]], list[str]] | None = None
) -> Iterator[Registry]:
    """A registry until the block ends, at a free address unless one is given.

    `within` makes of its storage and its command the command to run in its place.
    """
    assert PROGRAM, "these tests need a registry: apt install docker-registry"
    address, storage = address or free_address(), directory / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    config = directory / "registry.yml"
    config.write_text(CONFIG.format(storage=storage, address=address, more=more))
    command = [PROGRAM, "serve", str(config)]
    with (directory / "registry.log").open("ab") as log:
        process = subprocess.Popen(within(storage, command) if within else command, stdout=log, stderr=log)
    try:
        await_answer(address, process)
        yield Registry(address, storage, process)
    finally:
        process.kill()
        process.wait()


def await_answer(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60.0
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx2.get(f"http://{address}/v2/")
        except httpx2.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the registry at {address} does not answer")
