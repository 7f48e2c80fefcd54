"""What only a real API server can answer."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from controller.cluster.gateway import discover_gateway
from controller.cluster.logs import LogQuestion, lines_of_pods, pod_lines
from controller.cluster.rooms import node_rooms
from controller.model.errors import Conflict, Forbidden, Stalled, Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import at, key_of, put
from tests.cluster.fixtures import Testbed

from . import samples
from .conftest import kubernetes
from .samples import config_map, deployment

pytestmark = [pytest.mark.contract, pytest.mark.cluster]


@pytest.fixture
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KubernetesClient]:
    with kubernetes(tmp_path, request) as client:
        assert isinstance(client, KubernetesClient)
        yield client


@pytest.fixture
def account(testbed: Testbed, client: KubernetesClient, namespace: str, tmp_path: Path) -> Path:
    """The directory that a pod of a ServiceAccount without any right would find."""
    client.apply(samples.service_account(namespace))
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/sample/token"
    response = client.exchange.connection.send("POST", path, read_timeout=120, body=json.dumps(request).encode())
    token = json.loads(response.data)["status"]["token"]
    cluster = yaml.safe_load(testbed.kubeconfig.read_text())["clusters"][0]["cluster"]
    given = cluster.get("certificate-authority-data")
    file = testbed.kubeconfig.parent / cluster.get("certificate-authority", "")
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(given) if given else file.read_bytes())
    (tmp_path / "token").write_text(token)
    return tmp_path


def test_a_pods_account_is_who_asks(testbed: Testbed, account: Path, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases of the package have sent a pod's requests without the Authorization header (kubernetes-client/python 2582)."""
    server = urlsplit(testbed.api)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(server.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    with KubernetesClient(connect(in_cluster=True, service_account=account)) as own:
        with pytest.raises(Forbidden, match=f"system:serviceaccount:{namespace}:sample"):
            own.list("Secret", namespace=namespace)
        (account / "token").write_text("wrong")
    with (
        KubernetesClient(connect(in_cluster=True, service_account=account)) as own,
        pytest.raises(Stalled, match="credentials"),
    ):
        own.list("Secret", namespace=namespace)


def test_a_certificate_of_another_authority_is_not_trusted(
    testbed: Testbed, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = urlsplit(testbed.api)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(server.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    other = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not other:
        pytest.fail("this machine trusts no authority at all: install ca-certificates")
    (account / "ca.crt").write_text(ssl.DER_cert_to_PEM_cert(other[0]))
    own = KubernetesClient(connect(in_cluster=True, service_account=account))
    with own, pytest.raises(Stalled, match="not trusted"):
        own.get(ObjectKey("Namespace", "", "default"))


def test_a_field_that_does_not_exist_is_refused(client: KubernetesClient, namespace: str) -> None:
    for made in (deployment(namespace), samples.route(namespace, "/a")):
        with pytest.raises(Stalled, match="replicsa"):
            client.apply(put(made, 1, "spec", "replicsa"))


def test_values_that_are_wrong_are_named(client: KubernetesClient, namespace: str) -> None:
    with pytest.raises(Stalled, match=r"spec\.replicas"):
        client.apply(deployment(namespace, replicas=-1))


@pytest.mark.parametrize("kind", ["ConfigMap", "HTTPRoute"])
def test_what_another_made_is_untouched_by_a_create(client: KubernetesClient, namespace: str, kind: str) -> None:
    theirs = config_map(namespace, data={"a": "1"}) if kind == "ConfigMap" else samples.route(namespace, "/a")
    ours = config_map(namespace, data={"b": "2"}) if kind == "ConfigMap" else samples.route(namespace, "/b")
    before = client.apply(theirs, manager="someone-else")
    with pytest.raises(Conflict, match="is there already"):
        client.apply(put(ours, "", "metadata", "resourceVersion"))
    assert client.get(key_of(before)) == before


def test_a_dry_run_of_a_create_refuses_and_stores_nothing(client: KubernetesClient, namespace: str) -> None:
    made = config_map(namespace, data={"a": "1"}, resourceVersion="")
    client.apply(made, dry_run=True)
    assert client.get(key_of(made)) is None
    client.apply(made)
    with pytest.raises(Conflict):
        client.apply(made, dry_run=True)


def test_replicas_that_an_autoscaler_set_stay(client: KubernetesClient, namespace: str) -> None:
    client.apply(deployment(namespace))
    client.apply(deployment(namespace, replicas=3), manager="autoscaler")
    assert client.apply(deployment(namespace, minReadySeconds=1))["spec"]["replicas"] == 3


def test_a_namespace_that_is_not_there_is_named(client: KubernetesClient) -> None:
    with pytest.raises(Stalled, match="nowhere-at-all") as caught:
        client.apply(config_map("nowhere-at-all"))
    assert caught.value.hint == "kubectl create namespace nowhere-at-all"


def test_a_definition_that_is_missing_is_named(client: KubernetesClient) -> None:
    with pytest.raises(Stalled, match=r"securitypolicies\.gateway\.envoyproxy\.io"):
        client.list("SecurityPolicy")


def test_a_version_from_long_ago_is_too_old_to_watch(testbed: Testbed, client: KubernetesClient) -> None:
    if testbed.local is not None:  # a young cluster still remembers its first moment; a server that starts anew does not
        with testbed.local.without("kube-apiserver"):
            pass
        _wait_until_it_answers(client)
    with pytest.raises(Conflict):
        next(client.watch("ConfigMap", "1", timeout=120))


def _wait_until_it_answers(client: KubernetesClient) -> None:
    deadline = time.monotonic() + 120.0
    while True:
        try:
            client.list("ConfigMap")
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return


def test_closing_ends_open_watches(testbed: Testbed) -> None:
    own = KubernetesClient(connect(kubeconfig=testbed.kubeconfig))
    start = own.list("ConfigMap").resource_version
    threads = [
        threading.Thread(target=lambda: list(own.watch("ConfigMap", start, labels={"nobody": "has"}, timeout=250)), daemon=True)
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    own.close()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_the_gateway_and_the_nodes_are_found(client: KubernetesClient) -> None:
    facts = discover_gateway(client, "gateways", "pointsman")
    assert facts.exists
    assert facts.controller
    assert facts.listeners
    assert not discover_gateway(client, "gateways", "nobody-made-it").exists
    rooms = node_rooms(client)
    assert rooms
    assert all(0 < room.free["pods"] <= room.allocatable["pods"] for room in rooms)
    assert all(room.free["cpu"] <= room.allocatable["cpu"] for room in rooms)


def test_the_lines_of_pods(client: KubernetesClient, testbed: Testbed, namespace: str) -> None:
    script = "for i in 1 2 3 4 5; do echo line $i; done; head -c 100000 /dev/zero | tr '\\0' x; echo; echo last"
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "endpoint", "image": testbed.base_image, "command": ["sh", "-c", script]}],
    }
    for name in ("one", "two"):
        client.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    _wait_until_ended(client, namespace, 2)
    texts = [line.text for line in pod_lines(client, namespace, "one", LogQuestion(follow=True))]
    assert texts[:5] == [f"line {number}" for number in range(1, 6)]
    assert texts[-1] == "last"
    assert "".join(texts[5:-1]) == "x" * 100_000
    assert [line.text for line in pod_lines(client, namespace, "one", LogQuestion(tail=1))] == ["last"]
    both = list(lines_of_pods(client, namespace, ["one", "missing", "two"], LogQuestion(tail=1)))
    assert {getattr(line, "pod", "error") for line in both} == {"one", "two", "error"}


def _wait_until_ended(client: KubernetesClient, namespace: str, count: int) -> None:
    listing = client.list("Pod", namespace=namespace)
    pods = {pod["metadata"]["name"]: pod for pod in listing.items}
    events = client.watch("Pod", listing.resource_version, timeout=120)
    while sum(at(pod, "status", "phase") in ("Succeeded", "Failed") for pod in pods.values()) < count:
        changed = next(events).object
        if changed["metadata"]["namespace"] == namespace:
            pods[changed["metadata"]["name"]] = changed
