"""One build into a registry in a process of its own, for tests that end or measure it.

Prints the image's digest and the most memory that the process had, in KiB.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from image_examples import CODE, in_code, silent, spec_of

from controller.images.registry.builder import RegistryBuilder
from controller.model.declared import FileContent
from controller.model.errors import PointsmanError
from controller.model.images import ImageSpec
from controller.model.ports import Progress


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("address", help="the registry's host and port, also for `library/python:3.11`")
    parser.add_argument("cache", type=Path)
    parser.add_argument("repository")
    parser.add_argument("--model", metavar="SHA256", help="a file that lies in the cache, in place of one of the code")
    parser.add_argument("--progress", action="store_true", help="as a terminal shows it")
    options = parser.parse_args()
    url = f"http://{options.address}"
    spec = push_spec(f"{options.address}/{options.repository}", options.model)
    shown = progress() if options.progress else nullcontext(silent)
    with shown as report, RegistryBuilder(url, options.address, options.cache, mirrors={"docker.io": url}) as builder:
        try:
            print(builder.build(spec, CODE, report).digest, peak())
        except PointsmanError as error:
            print(f"{error.reason}: {error}", file=sys.stderr)
            return 1
    return 0


def push_spec(repository: str, model: str = "") -> ImageSpec:
    """What is built; `model` is the sha256 of a file that lies in the cache."""
    given = FileContent(url="https://models.example.com/m.bin", sha256=model)
    files = {"m.bin": given if model else in_code("models/net.bin")}
    return spec_of(repository=repository, base="python:3.11", files=files, shim=True)


@contextmanager
def progress() -> Iterator[Progress]:
    from controller.cli.progress import BuildProgress

    with BuildProgress() as shown:
        yield shown.report


def peak() -> str:
    """Not `ru_maxrss`: that one begins with what the process had that started this one."""
    return re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]


if __name__ == "__main__":
    sys.exit(main())
