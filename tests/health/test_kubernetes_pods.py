"""Pods that a real kubelet could not make serve, as its API server answered, in the words that people read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.health.pod import pod_problem

pytestmark = pytest.mark.pure
PODS = {
    pod["metadata"]["name"]: pod for pod in json.loads((Path(__file__).parent / "kubernetes_pods.json").read_text())["pods"]
}
SAID = {
    "clean-exit": (2, "exited with code 0 four times"),
    "crash-loop": (2, "exited with code 1 four times: ModuleNotFoundError: No module named 'flask'"),
    "gated": (1, "waits for capacity: Scheduling is blocked due to non-empty scheduling gates"),
    "invalid-image-name": (2, "the image cannot be pulled (InvalidImageName: Failed to apply default image tag"),
    "missing-key": (2, "CreateContainerConfigError: couldn't find key token in Secret r-pods/half"),
    "missing-secret": (2, 'CreateContainerConfigError: secret "api" not found'),
    "no-device": (1, "waits for capacity: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
    "no-such-node": (1, "waits for capacity: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."),
    "out-of-memory": (2, "ran out of memory four times"),
    "pull-backoff": (2, "the image cannot be pulled (ErrImagePull: not found: 127.0.0.1:5000/"),
    "runs-as-root": (2, "CreateContainerConfigError: container has runAsNonRoot and image will run as root"),
    "shell-unknown": (2, "exited with code 127 four times: sh: 1: exec: gunicorn: not found"),
    "silent": (1, "runs, but does not answer a connection on port 8000"),
    "too-large": (1, "waits for capacity: 0/1 nodes are available: 1 Insufficient cpu."),
    "unknown-program": (2, "could not be started four times: failed to create containerd task"),
}


def test_every_pod_is_explained() -> None:
    assert set(PODS) == {*SAID, "serving"}
    assert pod_problem(PODS["serving"]) is None


@pytest.mark.parametrize("name", SAID)
def test_a_pod_on_kubernetes(name: str) -> None:
    severity, words = SAID[name]
    problem = pod_problem(PODS[name])
    assert problem is not None
    assert problem.severity == severity
    assert problem.message.startswith(words)
    assert "preemption" not in problem.message


def test_a_container_that_the_cluster_puts_beside_the_endpoint_does_not_hide_it() -> None:
    pod = PODS["crash-loop"]
    beside = {"name": "a-proxy", "ready": True, "restartCount": 0, "state": {"running": {}}}
    both = {**pod, "status": {**pod["status"], "containerStatuses": [beside, *pod["status"]["containerStatuses"]]}}
    assert pod_problem(both) == pod_problem(pod)
