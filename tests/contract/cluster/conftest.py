"""The same suite on every implementation of `ClusterClient`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.embedded.remote import RemoteStore
from controller.embedded.server import StoreServer
from controller.embedded.store import EmbeddedStore
from controller.model.ports import ClusterClient


@contextmanager
def embedded(directory: Path) -> Iterator[ClusterClient]:
    with EmbeddedStore(directory / "store") as store:
        yield store


@contextmanager
def embedded_remote(directory: Path) -> Iterator[ClusterClient]:
    with EmbeddedStore(directory / "store") as store, StoreServer(store, directory / "socket"):
        yield RemoteStore.at(directory / "socket")


@pytest.fixture(params=[embedded, embedded_remote], ids=lambda factory: factory.__name__)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ClusterClient]:
    with request.param(tmp_path) as client:
        yield client


@pytest.fixture
def namespace(client: ClusterClient) -> str:
    """A namespace of the test's own, because a real API server keeps what earlier tests left."""
    name = f"contract-{uuid.uuid4().hex[:12]}"
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name
