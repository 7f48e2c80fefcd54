from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from controller.embedded.runtime.process.ports import PortPool
from controller.embedded.runtime.process.replica_process import ReplicaProcess
from controller.model.identity import ObjectKey
from controller.model.objects import at
from tests.embedded.runtime.cluster import NAMESPACE, Cluster, deployment, eventually, get
from tests.embedded.runtime.conftest import running_below

pytestmark = pytest.mark.system

SERVER = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"env": dict(os.environ), "cwd": os.getcwd(), "files": sorted(os.listdir("."))}).encode()
        self.send_response(int(sys.argv[1]) if self.path == "/health" and len(sys.argv) > 1 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""

BELOW_PYTHON = """
import _socket, sys
listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
while True:
    listener._accept()
"""
"""Binds as a server that is not Python does: past `socket.socket`."""


def test_replicas_and_versions_with_one_declared_port_run_side_by_side(cluster: Cluster) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    cluster.run("first", "python server.py", replicas=2, min_ready=1)
    cluster.run("second", "exec python3 server.py")
    ports = [*cluster.wait_ready("first", 2), *cluster.wait_ready("second")]
    seen = [json.loads(get(port)) for port in ports]
    assert len(set(ports)) == 3
    assert len({answer["cwd"] for answer in seen}) == 3
    assert [int(answer["env"]["PORT"]) for answer in seen] == ports
    eventually(lambda: cluster.status("first").get("availableReplicas") == 2)
    status = cluster.status("first")
    assert (status["observedGeneration"], status["updatedReplicas"], status["unavailableReplicas"]) == (1, 2, 0)
    assert {c["type"]: c["status"] for c in status["conditions"]} == {"Available": "True", "Progressing": "True"}


def test_a_replica_sees_what_its_deployment_says_and_nothing_of_the_controller(cluster: Cluster) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    env = [{"name": "VH_DEFAULT_PREFIX", "value": "/a/b"}, {"name": "DATA", "value": "/valohai/code/data"}]
    cluster.run("web", "python /valohai/code/server.py", env=env, metadata='{"version": 1}')
    answer = json.loads(get(cluster.wait_ready("web")[0]))
    directory = cluster.root / "run/replicas/web/0"
    assert answer["cwd"] == str(directory / "code")
    assert answer["env"]["HOME"] == str(directory / "home")
    assert answer["env"]["VH_DEFAULT_PREFIX"] == "/a/b"
    assert answer["env"]["DATA"] == str(directory / "code/data")
    assert answer["env"]["PATH"].split(":")[0] == str(directory / "home/.local/bin")
    assert "PYTEST_CURRENT_TEST" not in answer["env"]
    metadata = directory / "code/valohai-metadata.json"
    assert metadata.read_text() == '{"version": 1}'
    assert metadata.stat().st_mode & 0o222 == 0


def test_scripts_of_the_packages_are_found_where_users_write_them(cluster: Cluster) -> None:
    scripts = cluster.image / "packages/bin"
    scripts.mkdir(parents=True)
    (cluster.image / "packages/served.py").write_text(SERVER)
    (scripts / "serve").write_text("#!/usr/bin/env python3\nimport served\n")
    (scripts / "serve").chmod(0o755)
    cluster.start()
    cluster.run("home", "~/.local/bin/serve")
    cluster.run("path", "serve")
    assert get(cluster.wait_ready("home")[0])
    assert get(cluster.wait_ready("path")[0])


def test_a_crash_loop_says_the_endpoints_own_last_words(cluster: Cluster) -> None:
    cluster.start()
    cluster.run("broken", "echo 'No module named flask' >&2; exit 3")
    pod = cluster.wait_message("broken", "'restartCount': 2")
    container = at(pod, "status", "containerStatuses", 0)
    last = container["lastState"]["terminated"]
    assert (last["exitCode"], last["message"]) == (3, "No module named flask")
    assert not container["ready"]
    assert cluster.status("broken")["unavailableReplicas"] == 1


def test_a_server_that_ends_with_zero_starts_again(cluster: Cluster) -> None:
    cluster.start()
    cluster.run("short", "true")
    pod = cluster.wait_message("short", "'restartCount': 2")
    assert at(pod, "status", "containerStatuses", 0, "lastState", "terminated", "reason") == "Completed"


def test_a_server_that_never_listens_is_named_with_the_port_that_was_asked(cluster: Cluster) -> None:
    cluster.start()
    port = PortPool(17000, 17999).reserve()
    cluster.run("silent", "sleep 1000", port=8000)
    cluster.run("elsewhere", ["python3", "-m", "http.server", str(port)], port=8000)
    silent = cluster.wait_message("silent", "running for")
    assert re.fullmatch(r"running for \d+ s but nothing answers on port 8000 \(TCP\)", silent["status"]["message"])
    elsewhere = cluster.wait_message("elsewhere", "running for")
    assert f"it listens on port {port}" in elsewhere["status"]["message"]


def test_a_health_path_decides_readiness(cluster: Cluster) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    cluster.run("well", "python server.py 204", path="/health")
    cluster.run("ill", "python server.py 500", path="/health")
    assert cluster.wait_ready("well")
    assert "GET /health on port 8000 answers 500" in cluster.wait_message("ill", "answers 500")["status"]["message"]
    assert cluster.ready_ports("ill") == []


def test_a_missing_secret_is_a_gate_that_opens_by_itself(cluster: Cluster) -> None:
    cluster.start()
    reference = {"secretKeyRef": {"name": "api", "key": "token"}}
    cluster.run("locked", "sleep 1000", env=[{"name": "TOKEN", "valueFrom": reference}])
    pod = cluster.wait_message("locked", "CreateContainerConfigError")
    assert at(pod, "status", "containerStatuses", 0, "state", "waiting", "message") == "secret 'api' does not exist"
    assert running_below(cluster.root) == set()


def test_an_image_that_is_not_there_is_named(cluster: Cluster) -> None:
    cluster.start()
    cluster.run("unbuilt", "true", image="other@sha256:1")
    pod = cluster.wait_message("unbuilt", "ErrImageNeverPull")
    assert "other@sha256:1" in pod["status"]["message"]


def test_a_server_beside_the_mapping_runs_as_one_and_the_next_takes_over_when_it_ends(cluster: Cluster) -> None:
    cluster.code(server=BELOW_PYTHON)
    cluster.start()
    port = PortPool(18000, 18999).reserve()
    old = cluster.run("old", f"python server.py {port}", port=port)
    assert cluster.wait_ready("old") == [port]
    cluster.run("new", f"python server.py {port}", port=port)
    pod = cluster.wait_message("new", "PortInUse")
    assert f"port {port} is held by old-0-" in pod["status"]["message"]
    assert "Docker runtime" in pod["status"]["message"]
    cluster.store.delete(old)
    assert cluster.wait_ready("new") == [port]


def test_a_server_beside_the_mapping_gives_its_port_to_its_own_successor(cluster: Cluster) -> None:
    cluster.code(server=BELOW_PYTHON)
    cluster.start()
    port = PortPool(19000, 19999).reserve()
    cluster.run("web", f"python server.py {port}", port=port, note="old")
    cluster.wait_ready("web")
    old = cluster.pods("web")[0]["metadata"]["name"]
    cluster.run("web", f"python server.py {port}", port=port, note="new")
    eventually(lambda: [pod["metadata"]["name"] for pod in cluster.pods("web")][:1] not in ([old], []))
    assert cluster.wait_ready("web") == [port]


def test_scaling_down_keeps_the_oldest(cluster: Cluster) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    cluster.run("web", "python server.py", replicas=1)
    oldest = cluster.wait_ready("web")
    cluster.run("web", "python server.py", replicas=3)
    cluster.wait_ready("web", 3)
    cluster.run("web", "python server.py", replicas=1)
    eventually(lambda: len(cluster.pods("web")) == 1)
    assert cluster.ready_ports("web") == oldest


def test_no_replicas_is_a_complete_answer(cluster: Cluster) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    cluster.run("web", "python server.py", replicas=0)
    eventually(lambda: cluster.status("web").get("observedGeneration") == 1)
    assert cluster.status("web")["replicas"] == 0
    assert cluster.pods("web") == []


def test_an_autoscaler_counts_with_its_minimum(cluster: Cluster) -> None:
    cluster.start()
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"minReplicas": 2, "maxReplicas": 4},
    }
    cluster.run("web", "sleep 1000", replicas=None)
    eventually(lambda: len(cluster.pods("web")) == 1)
    cluster.store.apply(autoscaler)
    eventually(lambda: len(cluster.pods("web")) == 2)


def test_a_new_template_replaces_the_replica_once_the_new_one_serves(cluster: Cluster) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    cluster.run("web", "python server.py", note="old")
    old = cluster.pods("web")[0]["metadata"]["name"] if cluster.wait_ready("web") else ""
    missing = []
    with_subscription = cluster.store.subscribe(lambda _: missing.append(not cluster.ready_ports("web")))
    cluster.run("web", "python server.py", note="new")
    eventually(
        lambda: [p["metadata"]["name"] for p in cluster.pods("web")] not in ([old], []) and len(cluster.pods("web")) == 1
    )
    with_subscription()
    assert not any(missing)
    assert cluster.pods("web")[0]["metadata"]["name"] != old


def test_a_stop_leaves_no_process_no_object_and_no_directory(cluster: Cluster) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    stubborn = "trap '' TERM; (trap '' TERM; setsid sleep 1000) & python server.py"
    cluster.run("web", stubborn, replicas=2)
    cluster.wait_ready("web", 2)
    assert running_below(cluster.root)
    assert cluster.runner is not None
    cluster.runner.stop(0.5)
    cluster.runner = None
    assert running_below(cluster.root) == set()
    assert cluster.pods("web") == []
    assert cluster.ready_ports("web") == []
    assert list((cluster.root / "run/replicas").glob("*/*")) == []


def test_a_replica_that_is_to_go_leaves_its_slice_before_it_is_ended(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    key = cluster.run("web", "python server.py")
    port = cluster.wait_ready("web")[0]
    terminate, seen = ReplicaProcess.terminate, []

    def note(process: ReplicaProcess) -> None:
        [left] = cluster.store.list("EndpointSlice", namespace=NAMESPACE).items
        conditions = left["endpoints"][0]["conditions"]
        seen.append((conditions["ready"], conditions["terminating"], get(port) != ""))
        terminate(process)

    monkeypatch.setattr(ReplicaProcess, "terminate", note)
    cluster.store.delete(key)
    eventually(lambda: not cluster.pods("web"))
    assert seen == [(False, True, True)]


def test_a_deleted_deployment_leaves_nothing_but_its_log(cluster: Cluster) -> None:
    cluster.code(server=SERVER)
    runner = cluster.start()
    key = cluster.run("web", "echo hello; exec python server.py")
    cluster.wait_ready("web")
    cluster.store.delete(key)
    eventually(lambda: not cluster.pods("web") and not running_below(cluster.root))
    assert [line.text for line in runner.logs.read(NAMESPACE, "web")] == ["hello"]


def test_a_deployment_that_cannot_be_run_disturbs_no_other(cluster: Cluster, tmp_path: Path) -> None:
    cluster.code(server=SERVER)
    cluster.start()
    odd = deployment("odd", "true")
    odd["spec"]["template"]["spec"]["containers"][0]["ports"] = []
    cluster.store.apply(odd)
    cluster.run("nul", "echo \0")
    cluster.run("web", "python server.py")
    assert cluster.wait_ready("web")
    assert "containerPort" in str(eventually(lambda: cluster.status("odd") or None)["conditions"])
    cluster.wait_message("nul", "CreateContainerError")
    assert cluster.store.get(ObjectKey("Pod", NAMESPACE, "odd")) is None
