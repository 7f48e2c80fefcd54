from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.cluster import api
from tests.cluster.fixtures import Testbed


@pytest.fixture
def namespace(testbed: Testbed) -> Iterator[str]:
    """A namespace of the test's own; nobody waits for it to go."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    with api.opened(testbed.kubeconfig) as cluster:
        cluster.post("/api/v1/namespaces", {"metadata": {"name": name}})
        yield name
        cluster.delete(f"/api/v1/namespaces/{name}")
