"""One build into a registry in a process of its own, for tests that end it: prints the image's digest.

python push_once.py ADDRESS CACHE REPOSITORY
"""

from __future__ import annotations

import sys
from pathlib import Path

from image_examples import CODE, in_code, silent, spec_of

from controller.images.registry.builder import RegistryBuilder


def main(address: str, cache: str, repository: str) -> None:
    url = f"http://{address}"
    spec = spec_of(
        repository=f"{address}/{repository}", base="python:3.11", files={"m.bin": in_code("models/net.bin")}, shim=True
    )
    with RegistryBuilder(url, address, Path(cache), mirrors={"docker.io": url}) as builder:
        print(builder.build(spec, CODE, silent).digest)


if __name__ == "__main__":
    main(*sys.argv[1:])
