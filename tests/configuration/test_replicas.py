"""The gateway's replicas: configured, found among pods, or behind one address; the last answer outlives an outage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli.running.replicas import gateway_replicas
from controller.embedded.store import EmbeddedStore
from controller.model.configuration import GatewayPods, GatewaySettings
from controller.model.identity import ObjectKey

pytestmark = pytest.mark.contract

URL = "https://ml.example.com"
PODS = GatewayPods("traefik", {"app": "traefik"}, 8000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "store") as made:
        yield made


def pod(store: EmbeddedStore, name: str, address: str, *, ready: bool = True, app: str = "traefik") -> None:
    meta = {"name": name, "namespace": "traefik", "labels": {"app": app}}
    status: dict[str, Any] = {"podIP": address, "conditions": [{"type": "Ready", "status": str(ready)}]}
    spec = {"containers": [{"name": "traefik", "image": "traefik"}]}
    store.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    store.set_status(ObjectKey("Pod", "traefik", name), status)


def test_configured_ones_are_taken_as_they_are(store: EmbeddedStore) -> None:
    assert gateway_replicas(GatewaySettings(URL), store)() == (URL,)
    replicas = ("http://10.0.0.4:8000", "http://10.0.0.5:8000")
    assert gateway_replicas(GatewaySettings(URL, replicas=replicas), store)() == replicas


def test_ready_pods_are_found_as_they_come_and_go(store: EmbeddedStore) -> None:
    replicas = gateway_replicas(GatewaySettings(URL, pods=PODS), store)
    assert replicas() == (URL,)
    pod(store, "one", "10.0.0.4")
    pod(store, "two", "fd00::5")
    pod(store, "starting", "10.0.0.6", ready=False)
    pod(store, "other", "10.0.0.7", app="nginx")
    assert replicas() == ("http://10.0.0.4:8000", "http://[fd00::5]:8000")
    store.delete(ObjectKey("Pod", "traefik", "one"))
    assert replicas() == ("http://[fd00::5]:8000",)


def test_the_last_answer_outlives_an_outage(store: EmbeddedStore) -> None:
    replicas = gateway_replicas(GatewaySettings(URL, pods=PODS), store)
    pod(store, "one", "10.0.0.4")
    assert replicas() == ("http://10.0.0.4:8000",)
    store.close()
    assert replicas() == ("http://10.0.0.4:8000",)


def test_labels_that_no_pod_has_are_told_once(store: EmbeddedStore, caplog: pytest.LogCaptureFixture) -> None:
    replicas = gateway_replicas(GatewaySettings(URL, pods=PODS), store)
    assert [replicas(), replicas()] == [(URL,), (URL,)]
    pod(store, "one", "10.0.0.4")
    replicas()
    store.delete(ObjectKey("Pod", "traefik", "one"))
    replicas()
    words = "no ready pod in namespace traefik has the labels app=traefik of the target's gateway.pods; so these are asked"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{words}: {URL}",
        f"{words}: http://10.0.0.4:8000",
    ]
