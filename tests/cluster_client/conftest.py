from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect

from .scripted import Scripted

TOKEN = "s3cret-token"

Write = Callable[..., Path]


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted().running() as running:
        yield running


@pytest.fixture
def write_kubeconfig(tmp_path: Path, server: Scripted) -> Write:
    """Writes a kubeconfig for the server; `user` is the user's entry."""

    def write(name: str = "config", *, user: dict[str, Any] | None = None, context: str = "home", **cluster: Any) -> Path:
        path = tmp_path / name
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": {"server": server.url, **cluster}}],
            "users": [{"name": context, "user": {"token": TOKEN} if user is None else user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def client(write_kubeconfig: Write) -> Iterator[KubernetesClient]:
    with KubernetesClient(connect(kubeconfig=write_kubeconfig()), qps=10_000, burst=10_000) as client:
        yield client
