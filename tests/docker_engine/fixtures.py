"""Engines for every folder of tests: `pytest_plugins` of `tests/conftest.py` names this module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.docker_engine.bases import load_python
from tests.docker_engine.engine import Engine, running_engine

_PROGRAMS = ("dockerd", "docker", "unshare", "ip")


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An Engine that builds, pulls from and pushes to registries on loopback; its containers have no network."""
    _require_programs()
    with running_engine(tmp_path_factory.mktemp("docker")) as engine:
        yield engine


@pytest.fixture(scope="session")
def container_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An Engine with `python:3.11` whose containers have a network and publish ports on this machine's loopback."""
    _require_programs()
    with running_engine(tmp_path_factory.mktemp("docker"), containers=True) as engine:
        load_python(engine)
        yield engine


def _require_programs() -> None:
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        wanted = f"missing: {', '.join(missing)}; apt install docker.io util-linux iproute2" if missing else "not root"
        pytest.fail(f"these tests start a Docker Engine as root on Linux: {wanted}")
