"""Real containers under a real store, in the session's Engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker_engine.engine import Engine
from tests.embedded.containers.cluster import DockerCluster, docker_cluster, remove_all


@pytest.fixture
def cluster(tmp_path: Path, container_engine: Engine) -> Iterator[DockerCluster]:
    try:
        with docker_cluster(tmp_path, container_engine) as made:
            yield made
    finally:
        remove_all(container_engine)
