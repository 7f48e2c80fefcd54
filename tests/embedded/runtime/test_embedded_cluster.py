from __future__ import annotations

import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from controller.embedded.cluster import Clean, EmbeddedCluster
from controller.embedded.runtime.host import Backoff
from controller.embedded.runtime.process.environment import PythonEnvironments
from controller.embedded.runtime.process.runtime import processes
from controller.embedded.state_directory import StateDirectory
from controller.model.errors import Stalled
from controller.model.objects import annotation, at
from controller.model.routes import with_backend
from controller.model.secret import Secret
from tests.embedded.runtime.cluster import NAMESPACE, DirectoryImages, deployment, eventually
from tests.embedded.runtime.conftest import kill_everything_below, running_below

pytestmark = pytest.mark.system

PATH = "/ruksi/mnist/americas/1/greet-me"
SERVER = "exec python -m http.server 8000"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    for part in ("code", "own"):
        (tmp_path / "images/image" / part).mkdir(parents=True)
    (tmp_path / "images/image/code" / PATH[1:]).mkdir(parents=True)
    (tmp_path / "images/image/code" / PATH[1:] / "index.html").write_text("hello")
    yield StateDirectory(tmp_path / "state")
    kill_everything_below(tmp_path)


def open_cluster(
    state: StateDirectory, port: int | None = None, drain: float = 0.2, clean: Clean | None = None
) -> EmbeddedCluster:
    runtime = processes(DirectoryImages(state.root.parent / "images"))
    return EmbeddedCluster(state, runtime, port=port, drain=drain, grace=2.0, backoff=Backoff(0.1, 0.4), clean=clean)


def test_a_route_leads_to_a_process_and_nothing_is_left_afterwards(state: StateDirectory) -> None:
    with open_cluster(state) as cluster:
        cluster.store.apply(deployment("web", SERVER))
        cluster.store.apply(service("web"))
        cluster.store.apply(with_backend(route(), "web", "1"))
        assert eventually(lambda: answer(f"{cluster.url}{PATH}/")) == b"hello"
        assert running_below(state.run)
    assert running_below(state.run) == set()
    assert state.owner is None


def test_a_second_owner_is_refused_with_the_first_ones_number(state: StateDirectory) -> None:
    with open_cluster(state), pytest.raises(Stalled, match=r"process \d+ owns"), open_cluster(state):
        pass


def test_the_gateways_port_is_kept(state: StateDirectory) -> None:
    with open_cluster(state) as first:
        port = first.gateway.port
    with open_cluster(state) as second:
        assert second.gateway.port == port


def test_a_given_port_that_is_taken_leaves_nothing_open(state: StateDirectory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Stalled), open_cluster(state, taken.getsockname()[1]):
        pass
    assert state.owner is None


def test_a_start_cleans_up_what_no_workload_needs_any_more(state: StateDirectory, tmp_path: Path) -> None:
    asked: list[Collection[str]] = []
    with open_cluster(state, clean=lambda images, _before: asked.append(images)) as cluster:
        cluster.store.apply(deployment("web", SERVER))
    environments = PythonEnvironments(state.run / "environments")
    (tmp_path / "packages").mkdir()
    unusable = environments.prepare(tmp_path / "packages")
    usable = environments.prepare(None)
    (tmp_path / "packages").rmdir()
    log = state.logs / NAMESPACE / "gone" / "gone-0-a.log"
    for path in (log, state.run / "replicas" / "gone" / "left", state.run / "environments" / ".new-1" / "left"):
        path.parent.mkdir(parents=True)
    log.touch()
    os.utime(log, (1, 1))
    with open_cluster(state, clean=lambda images, _before: asked.append(images)):
        assert not unusable.exists()
        assert usable.exists()
        assert not log.exists()
        assert not (state.run / "replicas" / "gone").exists()
        assert not (state.run / "environments" / ".new-1").exists()
    assert asked == [{"image@sha256:0"}]


def test_a_secret_that_comes_later_opens_the_gate(state: StateDirectory) -> None:
    reference = {"secretKeyRef": {"name": "api", "key": "token"}}
    env = [{"name": "TOKEN", "valueFrom": reference}]
    with open_cluster(state) as cluster:
        cluster.store.apply(deployment("web", f'test "$TOKEN" = opened && {SERVER}', env=env))
        eventually(lambda: "CreateContainerConfigError" in str(cluster.store.list("Pod").items))
        cluster.secrets.set("api", "token", Secret("opened"))
        ready = ("status", "containerStatuses", 0, "ready")
        eventually(lambda: any(at(pod, *ready) for pod in cluster.store.list("Pod").items))
        assert "opened" not in str(cluster.store.list("Pod").items)


def test_no_request_fails_while_replicas_are_replaced(state: StateDirectory) -> None:
    with open_cluster(state, drain=1.0) as cluster:
        cluster.store.apply(service("web"))
        cluster.store.apply(with_backend(route(), "web", "1"))
        cluster.store.apply(deployment("web", SERVER, replicas=2, note="0"))
        eventually(lambda: pods_of(cluster, "0", 2))
        answers: list[bytes | None] = []
        stop = threading.Event()
        clients = [threading.Thread(target=ask_until, args=(stop, f"{cluster.url}{PATH}/", answers)) for _ in range(4)]
        for client in clients:
            client.start()
        for note in ("1", "2", "3"):
            cluster.store.apply(deployment("web", SERVER, replicas=2, note=note))
            eventually(lambda note=note: pods_of(cluster, note, 2))
        stop.set()
        for client in clients:
            client.join()
    assert len(answers) > 20
    assert set(answers) == {b"hello"}


def pods_of(cluster: EmbeddedCluster, note: str, count: int) -> bool:
    """Whether exactly so many pods exist, all of this template and ready."""
    pods = cluster.store.list("Pod").items
    ready = [at(pod, "status", "containerStatuses", 0, "ready") for pod in pods]
    return ready == [True] * count and all(annotation(pod, "note") == note for pod in pods)


def ask_until(stop: threading.Event, url: str, answers: list[bytes | None]) -> None:
    while not stop.is_set():
        try:
            answers.append(answer(url))
        except OSError:
            answers.append(None)


def answer(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        error.close()
        return None


def service(name: str) -> dict[str, object]:
    spec = {"selector": {"pointsman.dev/workload": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def route() -> dict[str, object]:
    match = {"path": {"type": "PathPrefix", "value": PATH}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "greet-me-1", "namespace": NAMESPACE, "annotations": {}},
        "spec": {"parentRefs": [{"name": "pointsman"}], "rules": [{"matches": [match], "filters": []}]},
    }
