"""One build in a process of its own, which says how much memory it took: the other half of `bench.images_memory`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.images_project import Project, silent
from bench.usage import peak_memory
from controller.images.registry.builder import RegistryBuilder


def main(directory: str, address: str, repository: str, sha256: str) -> None:
    before = peak_memory()
    project = Project(Path(directory) / "project", 0, sha256)
    push, pull, cache = f"http://{address}/bench", f"{address}/bench", Path(directory) / "cache"
    with RegistryBuilder(push, pull, cache, mirrors={"docker.io": f"http://{address}"}) as builder:
        builder.build(*project.spec(f"{address}/{repository}"), silent)
    project.forget()
    print(f"peak {peak_memory():.1f} MiB, of which {before:.1f} MiB are Python and what was imported")


if __name__ == "__main__":
    main(*sys.argv[1:])
