"""The controller as it is installed: its own image, built by Docker, in the pod that `manifests/base` describes."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from controller.model.objects import at
from tests.cluster import api
from tests.cluster.controller_image import build_base, build_controller
from tests.cluster.fixtures import Testbed
from tests.cluster.stage import Stage, eventually, staged
from tests.docker_engine.engine import running_engine
from tests.source.git_https import TOKEN, Forge, forge_of, update_server_info

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

MANIFESTS = Path(__file__).parents[2] / "manifests"
IMAGE = "pointsman/controller:test"


@pytest.fixture
def stage(testbed: Testbed, tmp_path: Path) -> Iterator[Stage]:
    with staged(testbed, tmp_path) as found:
        yield found


@pytest.fixture
def image(testbed: Testbed, tmp_path: Path) -> str:
    """The name under which nodes find the controller's image."""
    address = urlsplit(testbed.registry).netloc
    with running_engine(tmp_path / "docker", options=["--insecure-registry", address]) as docker:
        pushed = f"{address}/{IMAGE}"
        build_controller(docker, build_base(docker), pushed)
        assert docker.run("run", "--rm", "--read-only", "--network=none", pushed, "--version").startswith("pointsman, version")
        whoami = docker.run(
            "run", "--rm", "--network=none", "--entrypoint", "sh", pushed, "-c", "id -u; git --version; ssh -V 2>&1"
        )
        assert whoami.startswith("10001\ngit version")
        assert "OpenSSH" in whoami
        docker.run("push", pushed)
    return f"{testbed.pull}/{IMAGE}"


def test_the_pod_serves_and_is_replaced(stage: Stage, image: str, tmp_path: Path) -> None:
    stage.repository.release("1")
    with forge_of(stage.repository.root, tmp_path, address=_own_address(stage.testbed.api)) as forge:
        with api.opened(stage.testbed.kubeconfig) as cluster:
            for document in _installed(stage, forge, image):
                cluster.apply(document)
        stage.until("production", version="1")
        before = _controllers(stage)
        assert [at(pod, "status", "containerStatuses", 0, "restartCount") for pod in before.values()] == [0]
        with api.opened(stage.testbed.kubeconfig) as cluster:
            for pod in before.values():
                cluster.delete(f"/api/v1/namespaces/{stage.installation.namespace}/pods/{pod['metadata']['name']}")
        stage.repository.release("2")
        update_server_info(stage.repository.root)
        stage.until("production", version="2")
        assert not before.keys() & _controllers(stage).keys()


def _controllers(stage: Stage) -> dict[str, Any]:
    """The controller's pods by UID, without those that end."""
    found = stage.client.list("Pod", namespace=stage.installation.namespace).items
    running = {pod["metadata"]["uid"]: pod for pod in found if not at(pod, "metadata", "deletionTimestamp")}
    return running or eventually(lambda: _controllers(stage))


def _installed(stage: Stage, forge: Forge, image: str) -> Iterator[dict[str, Any]]:
    """What an overlay makes of `manifests/base`: configuration, Secrets, the Deployment with its image."""
    namespace = stage.installation.namespace
    yield _named(
        "v1", "ConfigMap", "pointsman-config", namespace, data={"controller.yaml": json.dumps(_settings(stage, forge))}
    )
    secrets = {"token": TOKEN, "ca.crt": forge.certificate.read_text()}
    yield _named("v1", "Secret", "pointsman-git", namespace, stringData=secrets)
    labels = yaml.safe_load((MANIFESTS / "access" / "namespace.yaml").read_text())["metadata"]["labels"]
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    yield {**yaml.safe_load((MANIFESTS / "base" / "networkpolicy.yaml").read_text()), "metadata": _meta("pointsman", namespace)}
    deployment = yaml.safe_load((MANIFESTS / "base" / "deployment.yaml").read_text())
    deployment["metadata"]["namespace"] = namespace
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0]["image"] = image
    pod["containers"][0]["volumeMounts"].append({"name": "git", "mountPath": "/etc/pointsman/git", "readOnly": True})
    pod["volumes"].append({"name": "git", "secret": {"secretName": "pointsman-git"}})
    yield deployment


def _settings(stage: Stage, forge: Forge) -> dict[str, Any]:
    """As the base's own, for this stage."""
    settings: dict[str, Any] = yaml.safe_load((MANIFESTS / "base" / "controller.yaml").read_text())
    testbed = stage.testbed
    settings["installation"] = stage.installation.name
    settings["images"] = {"mirrors": {"docker.io": testbed.registry}}
    settings["leaderElection"] = {"duration": "5s"}
    settings["sources"] = {
        "project": {
            "repository": forge.url,
            "branch": "main",
            "interval": "1s",
            "credentials": {"tokenFile": "/etc/pointsman/git/token", "caFile": "/etc/pointsman/git/ca.crt"},
            "grants": {"projects": [f"{stage.unit.owner}/{stage.unit.project}"]},
        }
    }
    settings["targets"]["here"] |= {
        "gateway": {"url": stage.gateways[0], "replicas": list(stage.gateways)},
        "registry": {"url": f"{testbed.registry}/pointsman", "pull": f"{testbed.pull}/pointsman", "insecure": True},
        "controllerNamespace": stage.installation.namespace,
        "minReadySeconds": 1,
        "drain": "3s",
    }
    return settings


def _named(version: str, kind: str, name: str, namespace: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": _meta(name, namespace), **more}


def _meta(name: str, namespace: str) -> dict[str, str]:
    return {"name": name, "namespace": namespace}


def _own_address(url: str) -> str:
    """This machine's address as the cluster's nodes see it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((urlsplit(url).hostname, 9))
        return str(probe.getsockname()[0])
