from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.embedded.gateway import Gateway, Limits
from controller.embedded.secrets import SecretFiles
from controller.embedded.store import EmbeddedStore
from tests.embedded.gateway import cluster
from tests.embedded.gateway.client import Client
from tests.embedded.gateway.servers import Endpoint, RawEndpoint

LIMITS = Limits(ready=0.3, header=60.0, idle=600.0, stalled=60.0, connect=60.0, linger=60.0)
"""None but `ready` ever passes here: the tests of the other bounds set their own."""


@pytest.fixture
def secrets(tmp_path: Path) -> SecretFiles:
    return SecretFiles(tmp_path / "secrets")


@pytest.fixture
def store(tmp_path: Path, secrets: SecretFiles) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "store", secrets=secrets) as made:
        yield made


@pytest.fixture
def limits() -> Limits:
    return replace(LIMITS)


@pytest.fixture
def gateway(store: EmbeddedStore, limits: Limits) -> Iterator[Gateway]:
    made = Gateway(store, port=0, probe_token="probe-token", limits=limits)
    made.start()
    yield made
    made.stop(timeout=1.0)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with Client(gateway.port) as made:
        yield made


@pytest.fixture
def serve(store: EmbeddedStore) -> Iterator[Callable[..., Any]]:
    """serve(name, handle=None, raw=None, **Endpoint's) -> a running endpoint with its Service and a ready slice."""
    with ExitStack() as stack:

        def start(name: str, handle: Any = None, *, raw: Any = None, index: int = 0, **options: Any) -> Any:
            endpoint = RawEndpoint(raw) if raw else Endpoint(name, handle, **options)
            stack.callback(endpoint.close)
            store.apply(cluster.service(name))
            store.apply(cluster.endpoint_slice(name, endpoint.port, index))
            return endpoint

        yield start
