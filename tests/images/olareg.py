"""A registry of another family than distribution: olareg, which keeps each repository as an OCI layout of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry_server import Registry, await_answer, free_address

from tests.cluster.binaries import OLAREG, built

_LOGINS = """\
users: {builder: {cred: "$2b$05$Q3C179KvN4EZ3ZX9W9OlTOEAl61HhQI38EYcBgNOCfS.DQGCgX4Bm"}}
acls: [{repo: "*", members: [builder], access: [read, write, delete]}]
"""


class Olareg(Registry):
    """As the other registry; what it stores lies elsewhere."""

    def blob(self, digest: str) -> Path:
        return next(self.storage.glob(f"**/blobs/sha256/{digest.removeprefix('sha256:')}"), self.storage / "none")

    def tags(self, repository: str) -> list[str]:
        index = self.storage / repository / "index.json"
        entries = json.loads(index.read_bytes())["manifests"] or [] if index.exists() else []
        names = (entry.get("annotations", {}).get("org.opencontainers.image.ref.name") for entry in entries)
        return sorted(name for name in names if name)

    def uploads(self, repository: str) -> list[Path]:
        return list((self.storage / repository / "_uploads").glob("*"))


@contextmanager
def running_olareg(directory: Path, login: str = "") -> Iterator[Registry]:
    """A registry until the block ends; `login` is how it asks who is there: `basic`, `token-opaque` or not at all."""
    address, storage = free_address(), directory / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    host, _, port = address.partition(":")
    command = [str(built(OLAREG)), "serve", "--addr", host, "--port", port, "--dir", str(storage)]
    command += ["--api-delete", "--api-blob-delete", "--external-url", f"http://{address}"]
    if login:
        logins = directory / "logins.yaml"
        logins.write_text(_LOGINS)
        command += [f"--auth-{login}", str(logins)]
    with (directory / "registry.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await_answer(address, process)
        yield Olareg(address, storage, process)
    finally:
        process.kill()
        process.wait()
