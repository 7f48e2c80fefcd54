"""Rendering speaks in the API server's own printed forms: what was applied is found unchanged, and no request follows."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kubernetes.client import AppsV1Api
from kubernetes.config import new_client_from_config

from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from controller.engine.cache import KINDS, TargetCache
from controller.loading.loader import load
from controller.model.changes import Change, Operation
from controller.model.declared import DeclaredState
from controller.model.desired import DesiredState, TargetProfile
from controller.model.identity import ObjectKey
from controller.model.images import Image
from controller.model.objects import Object, at, key_of
from controller.model.observed import ObservedState
from controller.model.record import UnitRecord
from controller.model.routes import with_backend
from controller.model.secret import Secret
from controller.plan.compare import compare, marked
from controller.plan.planner import plan
from controller.plan.sizes import owns_replicas, resized
from controller.render.images import image_spec
from controller.render.renderer import render
from controller.source.local import WorkingDirectory
from tests.cluster.fixtures import Testbed

pytestmark = pytest.mark.cluster
SAMPLE = Path(__file__).parents[2] / "sample-repo"
USERS = Secret("ann:{SHA}2fmVx6X3BpYg1lUPiDVSWlyMOJY=\npointsman-probe:{SHA}uU0nuZNNPgilLlLX2n2r+sSE7+M=\n")
REVISION = "main@sha1:0"
WITH_STATUS = frozenset({"Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "HTTPRoute"})
"""What controllers of the cluster write to, so that its version may change at any moment."""

EVERY_KEY = """\
target: us-east
access: {basicAuth: {secret: predictors}}
environment:
  EMPTY: ""
  LITERAL: "$(HOME) $$ ${X}"
  TOKEN: {secret: api, key: token}
  UNICODE: "Häuser ✓"
endpoints:
  predict-digit:
    scale: {min: 2, max: 10, cpu: 65}
    health: {path: /healthz}
    timeout: 1h30m
    environment: {LOG_LEVEL: debug}
    resources:
      cpu: {min: 0.5, max: 1.5}
      memory: {min: 1000, max: 2048}
      devices: {nvidia.com/gpu: 2}
    node-selector: pool=gpu
    tolerations:
      - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
      - {key: team, operator: Equal, value: vision}
      - {operator: Exists, effect: NoExecute}
  greet-me:
    scale: {min: 1, max: 3, cpu: 80}
    resources: {cpu: {min: 2}, memory: {max: 0.5}}
idle: {replicas: 0}
rollout: {deadline: 90s, strategy: recreate, keepWarm: 1h}
"""

PROFILE = TargetProfile(
    name="us-east",
    kind="kubernetes",
    url="http://10.99.1.2:8000",
    gateway="pointsman",
    gateway_namespace="gateways",
    gateway_class="traefik.io/gateway-controller",
    platform="linux/amd64",
    registry="127.0.0.1:5000/pointsman",
)
PROFILES = {
    "plain": PROFILE,
    "everything": replace(
        PROFILE,
        listener="web",
        hostnames=("inference.example.com", "*.example.org"),
        pull_secrets=("registry", "second"),
        features=frozenset({"HTTPRouteRequestTimeout"}),
        security="restricted",
        min_ready_seconds=0,
    ),
    "unbounded": replace(PROFILE, security="none"),
}


@pytest.fixture
def client(testbed: Testbed) -> Iterator[KubernetesClient]:
    with closing(KubernetesClient(connect(kubeconfig=testbed.kubeconfig))) as client:
        yield client


@pytest.fixture
def namespace(client: KubernetesClient) -> Iterator[str]:
    key = ObjectKey("Namespace", "", f"forms-{uuid.uuid4().hex[:10]}")
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": key.name}})
    yield key.name
    client.delete(key)


@pytest.fixture
def declared(tmp_path: Path) -> DeclaredState:
    """The sample, with one more deployment that says everything that there is to say."""
    repository = tmp_path / "mnist"
    shutil.copytree(SAMPLE, repository, ignore=shutil.ignore_patterns("__pycache__"))
    everything = repository / "pointsman" / "deployments" / "everything"
    (everything / "aliases").mkdir(parents=True)
    (everything / "deployment.yaml").write_text(EVERY_KEY)
    (everything / "aliases" / "production.yaml").write_text('version: "20181002.0"\n')
    identity = ["-c", "user.name=Sample", "-c", "user.email=sample@example.com", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Release"]):
        subprocess.run(["git", "-C", str(repository), *identity, *arguments], check=True, timeout=60)
    with closing(WorkingDirectory(repository, state=tmp_path / "state", committed=True)) as source:
        state = load(source.snapshot())
    assert [str(d) for d in state.diagnostics if d.is_error] == []
    return state


def desired_state(declared: DeclaredState, deployment: str, profile: TargetProfile) -> DesiredState:
    served = declared.deployments[deployment].versions.values()
    specs = [image_spec(declared, s.version, e, profile) for s in served for e in s.version.endpoints]
    images = {spec.key: Image(spec.key, f"{spec.repository}@sha256:{'0' * 64}", "sha256:" + "0" * 64) for spec in specs}
    users = USERS if declared.deployments[deployment].basic_auth else None
    return render(declared, deployment, profile, images, users=users)


def objects_of(desired: DesiredState) -> Iterator[Object]:
    """Everything that the first plan creates, and the alias's routes as a later one writes them."""
    secrets = {ref.secret: frozenset({ref.key}) for w in desired.workloads.values() for ref in w.secrets}
    made = plan(desired, ObservedState(secrets=secrets), UnitRecord(desired.unit), 0.0)
    yield from (change.desired for change in made.changes if change.operation is Operation.CREATE and change.desired)
    for alias in desired.aliases.values():
        for endpoint, route in alias.routes.items():
            workload = desired.workloads[alias.version, endpoint]
            yield marked(with_backend(route.template, workload.name, alias.version, pinned=True), REVISION)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("deployment", ["americas", "everything"])
def test_what_was_applied_is_found_unchanged(
    client: KubernetesClient, declared: DeclaredState, namespace: str, profile: str, deployment: str
) -> None:
    desired = desired_state(declared, deployment, replace(PROFILES[profile], namespace=namespace))
    kinds = set()
    for obj in objects_of(desired):
        first = _applied(client, obj)
        found = client.get(key_of(obj))
        again = compare(obj, found, reason="")
        assert (again.operation, again.fields) == (Operation.UNCHANGED, ()), key_of(obj)
        if obj["kind"] not in WITH_STATUS:
            assert _version(_applied(client, obj)) == _version(first), key_of(obj)
        kinds.add(obj["kind"])
    assert kinds >= {"ServiceAccount", "Deployment", "Service", "PodDisruptionBudget", "HTTPRoute"}
    assert (kinds >= {"Secret", "Middleware", "HorizontalPodAutoscaler"}) is (deployment == "everything")


def test_the_second_plan_of_a_unit_that_was_applied_writes_nothing(
    client: KubernetesClient, declared: DeclaredState, namespace: str
) -> None:
    desired = desired_state(declared, "everything", replace(PROFILES["everything"], namespace=namespace))
    secrets = {ref.secret: frozenset({ref.key}) for w in desired.workloads.values() for ref in w.secrets}
    record = UnitRecord(desired.unit, resource_version="1")
    first = plan(desired, ObservedState(secrets=secrets), record, 0.0)
    found = {}
    for change in first.changes:
        _applied(client, change.desired or {})
        found[change.key] = client.get(change.key) or {}
    second = plan(desired, ObservedState(objects=found, secrets=secrets), replace(record, inventory=first.inventory), 0.0)
    assert [(str(change.key), change.fields) for change in second.changes] == []


def test_a_workload_that_left_git_can_be_resized_and_come_back(
    client: KubernetesClient, declared: DeclaredState, namespace: str
) -> None:
    """Its declaration is gone then, so it is applied as the API server has it."""
    desired = desired_state(declared, "americas", replace(PROFILE, namespace=namespace))
    workload = desired.workloads["20181002.0", "greet-me"]
    key = ObjectKey("Deployment", namespace, workload.name)
    empty = {**workload.deployment, "spec": {**workload.deployment["spec"], "replicas": 0}}
    _applied(client, empty)
    change = compare(resized(client.get(key) or {}, 1), client.get(key), reason="")
    client.apply(change.desired or {})
    assert at(client.get(key) or {}, "spec", "replicas") == 1
    _applied(client, empty)
    assert compare(empty, client.get(key), reason="").operation is Operation.UNCHANGED


def test_an_autoscaler_keeps_the_number_that_it_chose(
    testbed: Testbed, client: KubernetesClient, declared: DeclaredState, namespace: str
) -> None:
    """Switching to an autoscaler gives `replicas` up only after it has written its own, and nothing puts it back."""
    desired = desired_state(declared, "everything", replace(PROFILE, namespace=namespace))
    workload = desired.workloads["20181002.0", "greet-me"]
    key = ObjectKey("Deployment", namespace, workload.name)
    _applied(client, {**workload.deployment, "spec": {**workload.deployment["spec"], "replicas": 0}})
    assert owns_replicas(client.get(key) or {})
    _scale(testbed.kubeconfig, key, 3)
    found = client.get(key) or {}
    assert at(found, "spec", "replicas") == 3
    assert not owns_replicas(found), "the scale subresource took the field over"
    _applied(client, workload.deployment)
    found = client.get(key) or {}
    assert at(found, "spec", "replicas") == 3
    assert compare(workload.deployment, found, reason="").fields == ()


def test_a_cluster_without_a_kind_for_access_is_listed_all_the_same(client: KubernetesClient) -> None:
    cache = TargetCache.listed(client, (*KINDS, "Middleware", "SecurityPolicy"))
    assert cache.complete
    [(kind, error)] = cache.lacking().items()
    assert kind == "SecurityPolicy"
    assert "does not know securitypolicies.gateway.envoyproxy.io" in error.message
    assert "install Envoy Gateway" in str(error.hint)


def _applied(client: KubernetesClient, obj: Object) -> Object:
    change: Change = compare(obj, None, reason="")
    return client.apply(change.desired or {})


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


def _scale(kubeconfig: Path, key: ObjectKey, replicas: int) -> None:
    """As the autoscaler's controller does it: another manager writes the scale subresource."""
    with new_client_from_config(str(kubeconfig)) as api:
        AppsV1Api(api).patch_namespaced_deployment_scale(key.name, key.namespace, {"spec": {"replicas": replicas}})
