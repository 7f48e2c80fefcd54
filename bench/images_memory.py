"""The most memory that the build of a version with a large model takes: python -m bench.images_memory [MiB]

The build is a process of its own, which tells what the kernel has noted of it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.images_contest import REPOSITORY
from bench.images_project import Project
from tests.cluster import images
from tests.images.registry_server import running_registry

MODEL = 2048
"""MiB of the one declared file."""


def main(model: int = MODEL) -> None:
    with TemporaryDirectory(prefix="bench-") as directory, running_registry(Path(directory) / "registry") as registry:
        images.make_base()
        images.push(images.base(), registry.url)
        project = Project(Path(directory) / "project", model)
        project.give_model(Path(directory) / "cache")
        build = [sys.executable, "-m", "bench.images_once", directory, registry.address, REPOSITORY, project.sha256]
        done = subprocess.run(build, check=True, stdout=subprocess.PIPE, text=True)
        print(f"model {model} MiB: {done.stdout}", end="")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
