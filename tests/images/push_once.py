"""One build into a registry in a process of its own, for tests that end it: prints the image's digest."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from image_examples import CODE, in_code, silent, spec_of

from controller.cli.progress import BuildProgress
from controller.images.registry.builder import RegistryBuilder
from controller.model.errors import PointsmanError


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("address", help="the registry's host and port, also for `library/python:3.11`")
    parser.add_argument("cache", type=Path)
    parser.add_argument("repository")
    parser.add_argument("--progress", action="store_true", help="as a terminal shows it")
    options = parser.parse_args()
    url = f"http://{options.address}"
    spec = spec_of(
        repository=f"{options.address}/{options.repository}",
        base="python:3.11",
        files={"m.bin": in_code("models/net.bin")},
        shim=True,
    )
    shown = BuildProgress() if options.progress else nullcontext()
    with shown, RegistryBuilder(url, options.address, options.cache, mirrors={"docker.io": url}) as builder:
        report = shown.report if isinstance(shown, BuildProgress) else silent
        try:
            print(builder.build(spec, CODE, report).digest)
        except PointsmanError as error:
            print(f"{error.reason}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
