from __future__ import annotations

import pytest

from controller.model import labels
from controller.model.identity import ObjectKey
from tests.embedded.gateway import cluster
from tests.embedded.gateway.servers import eventually, free_port

pytestmark = pytest.mark.system
DEPLOYMENT = "/ruksi/mnist/americas"
ALIAS, VERSION = DEPLOYMENT + "/production/predict", DEPLOYMENT + "/20181002.0/predict"


@pytest.fixture
def two_routes(store, serve, client):
    serve("one")
    store.apply(cluster.route(VERSION, "one"))
    store.apply(cluster.route(ALIAS, "one", alias="production"))
    client.until(ALIAS)


@pytest.mark.parametrize("path", ["/", "/ruksi", "/ruksi/mnist/", DEPLOYMENT, DEPLOYMENT + "/production"])
def test_the_index_lists_what_is_below(two_routes, client, gateway, path):
    found = client.get(path)
    assert found.status == 200
    (alias,) = found.json["aliases"]
    assert alias == {
        "deployment": "ruksi/mnist/americas",
        "alias": "production",
        "version": "20181002.0",
        "endpoint": "predict",
        "path": ALIAS,
        "url": f"http://127.0.0.1:{gateway.port}{ALIAS}",
        "readyReplicas": 1,
    }
    assert [v["path"] for v in found.json["versions"]] == ([] if path.endswith("production") else [VERSION])


def test_browsers_get_a_page(two_routes, client):
    found = client.get(DEPLOYMENT, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert found.headers["content-type"].startswith("text/html")
    assert f'<a href="{ALIAS}">predict</a>'.encode() in found.body
    assert "production → 20181002.0".encode() in found.body
    assert b"<script" not in found.body
    assert client.get("/nothing/<b>", headers={"Accept": "text/html"}).body.count(b"<b>") == 0


def test_an_unknown_path_names_its_neighbours(two_routes, client):
    found = client.get(DEPLOYMENT + "/prodution/predict", headers={"Accept": "application/json"})
    assert (found.status, found.reason) == (404, "NoRoute")
    assert found.json["near"] == [DEPLOYMENT + "/production"]
    assert client.get(ALIAS + "x").status == 404
    assert client.get("/" + "a/" * 20_000).status == 404


def test_an_index_is_only_read(two_routes, client):
    assert client.request("/", "POST", b"x").status == 404


def test_nothing_ready_says_why_in_the_pods_words(store, client):
    store.apply(cluster.service("one"))
    store.apply(cluster.deployment("one", 1))
    waiting = {"reason": "CreateContainerConfigError", "message": "secret `api` is missing"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one-0", "namespace": cluster.NAMESPACE, "labels": {labels.WORKLOAD: "one"}},
    }
    store.apply(pod)
    store.set_status(ObjectKey("Pod", cluster.NAMESPACE, "one-0"), {"containerStatuses": [{"state": {"waiting": waiting}}]})
    store.apply(cluster.route(ALIAS, "one", alias="production"))
    found = client.until(ALIAS, 503)
    assert found.reason == "NotReady"
    assert "retry-after" in found.headers
    assert b"secret `api` is missing" in found.body


def test_a_version_that_is_parked_names_the_setting(store, client):
    store.apply(cluster.service("one"))
    store.apply(cluster.deployment("one", 0))
    store.apply(cluster.route(VERSION, "one"))
    store.apply(cluster.route(ALIAS, "one", alias="production"))
    found = client.until(VERSION, 503)
    assert found.reason == "ScaledToZero"
    assert b"idle: {replicas: 0}" in found.body
    assert b"idle:" not in client.until(ALIAS, 503).body


def test_a_service_that_does_not_exist(store, client):
    store.apply(cluster.route(ALIAS, "gone"))
    assert client.until(ALIAS, 500).reason == "BackendNotFound"


def test_replicas_that_only_refuse(store, client):
    store.apply(cluster.service("one"))
    store.apply(cluster.endpoint_slice("one", free_port()))
    store.apply(cluster.route(ALIAS, "one"))
    assert client.until(ALIAS, 502).reason == "EndpointRefused"


def test_requests_are_counted_by_route(two_routes, client, gateway):
    client.get(VERSION)
    client.request(VERSION, "POST", b"x")

    def counted() -> bool:
        # an answer is with its client a moment before it is counted
        found = {s.path: s for s in gateway.statistics().values()}[VERSION]
        return (found.requests, found.in_flight, found.by_class) == (2, 0, {"2xx": 2})

    assert eventually(counted)
