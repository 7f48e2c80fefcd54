"""What an endpoint sees in its container, how its ends are told, and that nothing is left."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from controller.embedded.secrets import SecretFiles
from controller.model.identity import ObjectKey
from controller.model.objects import Object, at, put
from controller.model.secret import Secret
from tests.embedded.containers.cluster import SERVER, DockerCluster
from tests.embedded.runtime.cluster import NAMESPACE, eventually, get

pytestmark = pytest.mark.system


def ended(cluster: DockerCluster, workload: str, part: str) -> Object:
    """How an instance of the workload ended, once its pod says `part`."""
    pod = eventually(lambda: next((p for p in cluster.pods(workload) if part in str(p.get("status"))), None), 90)
    found: Object = at(pod, "status", "containerStatuses", 0, "lastState", "terminated")
    return found


def with_container(deployment: Object, **settings: Any) -> Object:
    """A Deployment whose container says more."""
    container = {**deployment["spec"]["template"]["spec"]["containers"][0], **settings}
    return put(deployment, [container], "spec", "template", "spec", "containers")


def test_replicas_and_versions_with_one_declared_port_run_side_by_side(cluster: DockerCluster) -> None:
    """Each server binds port 8000 itself: nothing is mapped inside."""
    cluster.start()
    cluster.serve("first", replicas=2, min_ready=1)
    cluster.serve("second")
    ports = [*cluster.wait_ready("first", 2), *cluster.wait_ready("second")]
    assert len(set(ports)) == 3
    said = [json.loads(get(port)) for port in ports]
    assert len({each["host"] for each in said}) == 3
    names = {pod["metadata"]["name"] for workload in ("first", "second") for pod in cluster.pods(workload)}
    assert {each["host"] for each in said} == names


def test_a_container_has_what_its_deployment_says_and_no_more(cluster: DockerCluster) -> None:
    reference = {"secretKeyRef": {"name": "api", "key": "token"}}
    env = [{"name": "COLOR", "value": "blue"}, {"name": "TOKEN", "valueFrom": reference}]
    cluster.start()
    declared = with_container(
        cluster.declared("web", ["python3", "-c", SERVER], env=env, metadata='{"a": 1}'),
        resources={"limits": {"memory": "100M", "cpu": "1000"}, "requests": {"memory": "50M", "cpu": "250m"}},
        securityContext={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    )
    cluster.store.apply(declared)
    pod = cluster.wait_message("web", "CreateContainerConfigError")
    assert at(pod, "status", "containerStatuses", 0, "state", "waiting", "message") == "secret 'api' does not exist"
    SecretFiles(cluster.root / "secrets").set("api", "token", Secret("opened"))
    said = json.loads(get(cluster.wait_ready("web")[0]))
    assert said["env"]["COLOR"] == "blue"
    assert said["env"]["TOKEN"] == "opened"
    assert said["cwd"] == "/valohai/code"
    assert said["memory"] == 100_000_000 // 4096 * 4096
    assert (said["capabilities"], said["frozen"]) == ("0" * 16, "1")
    assert (said["metadata"], said["written"]) == ('{"a": 1}', "Read-only file system")
    container = cluster.client.containers.list()[0].attrs
    assert "opened" not in str(container["Config"]["Labels"])
    assert container["HostConfig"]["CpuQuota"] == 100_000_000, "more than this machine has, which is no reason to refuse it"
    assert container["HostConfig"]["CpuShares"] == 256
    assert container["HostConfig"]["MemoryReservation"] == 50_000_000
    assert "opened" not in str(cluster.pods("web"))


def test_ends_are_told_as_kubernetes_tells_them(cluster: DockerCluster) -> None:
    cluster.start()
    cluster.store.apply(cluster.declared("broken", "echo no module named flask >&2; exit 3"))
    cluster.store.apply(cluster.declared("absent", ["nonesuch"]))
    greedy = cluster.declared("greedy", ["python3", "-c", "kept = bytearray(200_000_000)"])
    cluster.store.apply(with_container(greedy, resources={"limits": {"memory": "30M"}}))
    cluster.store.apply(cluster.declared("short", "true"))
    cluster.store.apply(cluster.declared("lost", "true", image=f"x@sha256:{'0' * 64}"))
    broken = ended(cluster, "broken", "'restartCount': 2")
    assert (broken["exitCode"], broken["reason"], broken["message"]) == (3, "Error", "no module named flask")
    assert "nonesuch" in ended(cluster, "absent", "'exitCode'")["message"]
    assert ended(cluster, "greedy", "OOMKilled")["exitCode"] == 137
    assert ended(cluster, "short", "'exitCode'")["reason"] == "Completed"
    assert "has no image x@sha256:000" in str(cluster.wait_message("lost", "ErrImageNeverPull")["status"])


def test_what_docker_cannot_do_is_refused_with_a_reason(cluster: DockerCluster) -> None:
    cluster.start()
    odd = with_container(cluster.declared("odd", "true"), resources={"limits": {"amd.com/gpu": "1"}})
    cluster.store.apply(odd)
    gpu = with_container(cluster.declared("gpu", "true"), resources={"limits": {"nvidia.com/gpu": "1"}})
    cluster.store.apply(gpu)
    strict = cluster.declared("strict", "true")
    cluster.store.apply(put(strict, {"runAsNonRoot": True}, "spec", "template", "spec", "securityContext"))
    assert "only `nvidia.com/gpu` can be asked for" in str(cluster.wait_message("odd", "CreateContainerError")["status"])
    assert "could not select device driver" in ended(cluster, "gpu", "StartError")["message"]
    assert "runAsNonRoot and image will run as root" in str(cluster.wait_message("strict", "ConfigError")["status"])


def test_a_server_that_never_listens_is_not_taken_for_ready(cluster: DockerCluster) -> None:
    """Docker's proxy accepts connections whether anything listens inside or not."""
    cluster.start()
    cluster.store.apply(cluster.declared("silent", "sleep 1000"))
    elsewhere = SERVER.replace('("", 8000)', '("127.0.0.1", 8000)')
    cluster.serve("inside", elsewhere)
    cluster.serve("other", SERVER.replace("8000", "5000"))
    said = cluster.wait_message("silent", "running for")["status"]["message"]
    assert said.endswith("s but nothing answers on port 8000 (TCP)")
    assert "it listens on 127.0.0.1 only: 0.0.0.0 lets others in" in str(cluster.wait_message("inside", "127.0.0.1 only"))
    assert "`port: 5000` in valohai.yaml would say so" in str(cluster.wait_message("other", "it listens on port 5000"))
    assert cluster.ready_ports("silent") == cluster.ready_ports("inside") == []


def test_a_health_path_decides_readiness(cluster: DockerCluster) -> None:
    cluster.start()
    cluster.serve("well", path="/health")
    cluster.serve("ill", SERVER.replace("send_response(200)", "send_response(500)"), path="/health")
    assert cluster.wait_ready("well")
    assert "GET /health on port 8000 answers 500" in cluster.wait_message("ill", "answers 500")["status"]["message"]


def test_a_container_that_nobody_can_look_after_is_removed(cluster: DockerCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("output-"):
            raise RuntimeError("can't start new thread")
        usual(thread)

    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", start)
        cluster.start()
        cluster.serve("web")
        cluster.wait_message("web", "can't start new thread")
    cluster.wait_ready("web")
    eventually(lambda: len(cluster.containers()) == 1)


def test_a_stop_leaves_no_container_and_no_directory(cluster: DockerCluster) -> None:
    cluster.start()
    cluster.store.apply(cluster.declared("web", "trap '' TERM; while true; do sleep 1; done", replicas=2))
    cluster.serve("other")
    cluster.wait_ready("other")
    cluster.store.delete(ObjectKey("Deployment", NAMESPACE, "other"))
    eventually(lambda: not cluster.pods("other") and "other" not in str(cluster.containers()))
    eventually(lambda: len(cluster.containers()) == 2)
    assert cluster.runner is not None
    cluster.runner.stop(0.5)
    cluster.runner = None
    assert cluster.containers() == []
    assert cluster.pods("web") == []
    assert list((cluster.root / "run/replicas").glob("*/*")) == []
