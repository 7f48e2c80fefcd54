"""The cluster that the other tests stand on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import yaml

from tests.cluster import api, claims, credentials, network
from tests.cluster.fixtures import Testbed
from tests.cluster.layout import CLAIMS, Layout
from tests.cluster.local import LocalCluster
from tests.cluster.node import is_ready

pytestmark = pytest.mark.cluster

_ROOT = Path(__file__).parents[2]
_SERVER = (Path(__file__).parent / "data" / "server.yaml").read_text()
_STARTS_ONE = "from tests.cluster.local import LocalCluster; print(LocalCluster.start().layout.state, flush=True); input()"


def eventually(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120.0
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def status(url: str) -> int:
    try:
        return httpx2.get(url, timeout=60.0).status_code
    except httpx2.TransportError:
        return 0


def serve(testbed: Testbed, namespace: str) -> str:
    """A pod of the registry's base image behind a route; its path on every gateway."""
    text = _SERVER.replace("NAMESPACE", namespace).replace("BASE_IMAGE", testbed.base_image)
    with api.opened(testbed.kubeconfig) as cluster:
        for document in yaml.safe_load_all(text):
            cluster.apply(document)
    return f"/{namespace}/"


def traces(layout: Layout) -> list[str]:
    """What a cluster would leave on this machine."""
    found = [
        str(path)
        for path in (layout.state, CLAIMS / f"{layout.index}.json", Path("/sys/class/net") / layout.device)
        if path.exists()
    ]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{layout.cgroup}")]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(layout.state) in line]
    found += [str(path.parent) for path in Path("/proc").glob("[0-9]*/cmdline") if _names(path, str(layout.state))]
    return found if network.is_free(layout) else [*found, f"routes to {layout.link}"]


def _names(file: Path, text: str) -> bool:
    try:
        return text.encode() in file.read_bytes()
    except OSError:
        return False


def test_a_pod_of_the_registrys_image_answers_through_every_replica_of_the_gateway(testbed: Testbed, namespace: str) -> None:
    path = serve(testbed, namespace)
    for gateway in testbed.gateways:
        eventually(lambda gateway=gateway: status(gateway + path) == 200, f"{gateway}{path} never answered")  # type: ignore[misc]


def test_pods_are_measured(testbed: Testbed, namespace: str) -> None:
    serve(testbed, namespace)
    with api.opened(testbed.kubeconfig) as cluster:
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"
        eventually(lambda: bool(cluster.ask("GET", path)[1].get("items")), "no pod was ever measured")


def test_one_replica_of_the_gateway_can_be_away(second_testbed: Testbed) -> None:
    spare = second_testbed.parts()
    first, second = spare.layout.gateways
    with spare.without("gateway1"):
        assert (status(first), status(second)) == (0, 404)
    eventually(lambda: status(first) == 404, "the first replica did not come back")


def test_a_component_that_ends_is_started_again(second_testbed: Testbed) -> None:
    spare = second_testbed.parts()
    ready = f"{spare.layout.api}/readyz"
    with spare.without("kube-apiserver", signal.SIGKILL):
        assert not is_ready(ready)
    eventually(lambda: is_ready(ready), "the API server did not come back")


def test_requests_of_an_account_are_written_down(second_testbed: Testbed, tmp_path: Path) -> None:
    account, kubeconfig = "system:serviceaccount:default:counted", tmp_path / "counted.kubeconfig"
    with api.opened(second_testbed.kubeconfig) as cluster:
        cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "counted", "namespace": "default"}})
        token = cluster.post("/api/v1/namespaces/default/serviceaccounts/counted/token", {"spec": {}})["status"]["token"]
    layout = second_testbed.parts().layout
    credentials.write_kubeconfig(kubeconfig, layout.api, (layout.pki / "ca.crt").read_bytes(), token)
    with api.opened(kubeconfig) as cluster:
        assert cluster.ask("GET", "/api/v1/namespaces/default/secrets")[0] == 403
    eventually(lambda: account in layout.audit.read_text(), "the request is not in the log")
    noted = [json.loads(line) for line in layout.audit.read_text().splitlines()]
    assert [(n["verb"], n["responseStatus"]["code"]) for n in noted if n["user"]["username"] == account] == [("list", 403)]


def test_a_stopped_cluster_leaves_nothing(namespace: str) -> None:
    cluster = LocalCluster.start()
    layout = cluster.layout
    try:
        bed = Testbed(layout.admin, layout.api, layout.gateways, layout.registry, "127.0.0.1:5000", layout.state)
        with api.opened(layout.admin) as opened:
            opened.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        path = serve(bed, namespace)
        eventually(lambda: status(layout.gateways[0] + path) == 200, "the pod never answered")
        assert traces(layout)
    finally:
        cluster.stop()
    assert traces(layout) == []


@contextmanager
def another_run() -> Iterator[tuple[Layout, subprocess.Popen[str]]]:
    """A process that has started a cluster and is killed at the end."""
    command = [sys.executable, "-c", _STARTS_ONE]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            state = Path(run.stdout.readline().strip())
            yield next(found.layout for found in claims.claimed() if found.state == state), run
        finally:
            run.kill()


def test_the_cluster_of_a_killed_run_goes_too() -> None:
    with another_run() as (layout, _):
        assert traces(layout)
    eventually(lambda: traces(layout) == [], "the cluster is still there")


def test_the_next_run_removes_what_nobody_could(second_testbed: Testbed) -> None:
    with another_run() as (layout, run):
        (keeper,) = [
            path for path in Path("/proc").glob("[0-9]*/cmdline") if _names(path, f"tests.cluster.keeper\0{run.pid}\0")
        ]
        os.kill(int(keeper.parent.name), signal.SIGKILL)
    assert traces(layout)
    claims.tidy()
    assert traces(layout) == []
    assert traces(second_testbed.parts().layout)
