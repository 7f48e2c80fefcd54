"""The same suite on every implementation of `ClusterClient`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from controller.embedded.remote import RemoteStore
from controller.embedded.server import StoreServer
from controller.embedded.store import EmbeddedStore
from controller.model.identity import ObjectKey
from controller.model.ports import ClusterClient
from tests.cluster.fixtures import Testbed


@contextmanager
def embedded(directory: Path, _request: pytest.FixtureRequest) -> Iterator[ClusterClient]:
    with EmbeddedStore(directory / "store") as store:
        yield store


@contextmanager
def embedded_remote(directory: Path, _request: pytest.FixtureRequest) -> Iterator[ClusterClient]:
    with EmbeddedStore(directory / "store") as store, StoreServer(store, directory / "socket"):
        yield RemoteStore.at(directory / "socket")


@contextmanager
def kubernetes(_directory: Path, request: pytest.FixtureRequest) -> Iterator[ClusterClient]:
    testbed: Testbed = request.getfixturevalue("testbed")
    with KubernetesClient(connect(kubeconfig=testbed.kubeconfig), qps=1000, burst=1000) as client:
        yield client


EVERYWHERE = [embedded, embedded_remote, pytest.param(kubernetes, marks=pytest.mark.cluster)]


@pytest.fixture(params=EVERYWHERE, ids=lambda factory: factory.__name__)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ClusterClient]:
    with request.param(tmp_path, request) as client:
        yield client


@pytest.fixture
def namespace(client: ClusterClient) -> Iterator[str]:
    """A namespace of the test's own, because a real API server keeps what earlier tests left."""
    name = f"contract-{uuid.uuid4().hex[:12]}"
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    if isinstance(client, KubernetesClient):
        client.delete(ObjectKey("Namespace", "", name))
