"""Declared states to render: the project of the documentation, and ways to change one thing in it."""

from __future__ import annotations

from dataclasses import replace

from controller.model.declared import (
    Alias,
    DeclaredFile,
    DeclaredState,
    Deployment,
    EndpointDefinition,
    EndpointSettings,
    FileContent,
    Rollout,
    Scale,
    SecretRef,
    ServedVersion,
    Version,
    VersionEndpoint,
)
from controller.model.desired import DesiredState, TargetProfile, Workload
from controller.model.diagnostics import Location
from controller.model.secret import Secret
from controller.model.source import CodeTree, Release, Revision, Snapshot
from controller.render.renderer import render

REVISION = Revision("main", "4f1c0e" + "0" * 34)
CODE = CodeTree("", "", (("predict_wsgi.py", "100644", "a" * 40), ("src", "40000", "b" * 40)))
ALIAS_FILE = "pointsman/deployments/americas/aliases/production.yaml"

KUBERNETES = TargetProfile(
    name="us-east",
    kind="kubernetes",
    url="https://inference.example.com",
    gateway="inference",
    gateway_namespace="gateways",
    gateway_class="traefik.io/gateway-controller",
    platform="linux/amd64",
    registry="registry.example.com/models",
    listener="web",
    hostnames=("inference.example.com",),
    pull_secrets=("registry",),
)
ENVOY = replace(
    KUBERNETES,
    gateway_class="gateway.envoyproxy.io/gatewayclass-controller",
    features=frozenset({"HTTPRouteRequestTimeout"}),
    security="restricted",
)
USERS = Secret("# who may come in\nann:{SHA}2fmVx6X3BpYg1lUPiDVSWlyMOJY=\npointsman-probe:{SHA}uU0nuZNNPgilLlLX2n2r+sSE7+N=\n")
EMBEDDED = TargetProfile(
    name="embedded",
    kind="embedded",
    url="http://127.0.0.1:8080",
    gateway="pointsman",
    gateway_namespace="pointsman",
    gateway_class="pointsman.dev/embedded",
    platform="linux/amd64",
    min_ready_seconds=1,
    base_platform="host:cpython-3.11-linux-x86_64",
)

GREET = VersionEndpoint(
    EndpointDefinition("greet-me", "python:3.11", command="python -m wsgiref.simple_server"), base="python:3.11"
)
PREDICT = VersionEndpoint(
    EndpointDefinition(
        "predict-digit",
        "python:3.11",
        wsgi="predict_wsgi:predict_wsgi",
        files=(DeclaredFile("model", "model.npz"),),
        resources={"cpu": {"min": 0.5}, "memory": {"min": 500, "max": 1000}, "devices": {"nvidia.com/gpu": 1}},
        node_selector="pool=gpu",
        tolerations=({"key": "gpu", "operator": "", "effect": "NoSchedule"},),
    ),
    base="python:3.11",
    files={"model": FileContent(path="models/mnist.npz", blob="c" * 40)},
    requirements="numpy==1.26.4\n",
)
PREDICT_SETTINGS = EndpointSettings(
    scale=Scale(2, 10, 70),
    health="/healthz",
    timeout=120.0,
    environment={"TOKEN": SecretRef("api", "token"), "LOG_LEVEL": "info", "EMPTY": ""},
)


def a_version(name: str = "20181002.0") -> Version:
    return Version(name, "4f1c0e" + "0" * 34, CODE, {"greet-me": GREET, "predict-digit": PREDICT})


def a_served_version(name: str = "20181002.0") -> ServedVersion:
    return ServedVersion(a_version(name), {"greet-me": EndpointSettings(), "predict-digit": PREDICT_SETTINGS})


def a_deployment(*versions: str, basic_auth: str | None = None) -> Deployment:
    served = {name: a_served_version(name) for name in versions or ("20181002.0",)}
    aliases = {"production": Alias("production", next(iter(served)), Location(ALIAS_FILE, 1))}
    return Deployment("americas", served, aliases, basic_auth=basic_auth, rollout=Rollout())


def declared(deployment: Deployment | None = None) -> DeclaredState:
    found = deployment or a_deployment()
    versions = {name: served.version for name, served in found.versions.items()}
    return DeclaredState(REVISION, "ruksi", "mnist", versions, {found.name: found})


def snapshot() -> Snapshot:
    return Snapshot(
        "https://git.example.com/ruksi/mnist.git",
        REVISION,
        "pointsman",
        {},
        {},
        {ALIAS_FILE: 3},
        (Release("americas", "c", 1),),
    )


def with_endpoint(endpoint: VersionEndpoint, settings: EndpointSettings, *, version: str = "20181002.0") -> Deployment:
    """A deployment whose only endpoint is this one."""
    found = replace(a_version(version), endpoints={endpoint.definition.name: endpoint})
    served = ServedVersion(found, {endpoint.definition.name: settings})
    return replace(a_deployment(version), versions={version: served})


def rendered(
    deployment: Deployment | None = None, target: TargetProfile = KUBERNETES, users: Secret | None = None
) -> DesiredState:
    return render(declared(deployment), "americas", target, {}, users=users)


def only_workload(endpoint: VersionEndpoint, settings: EndpointSettings, target: TargetProfile = KUBERNETES) -> Workload:
    return next(iter(rendered(with_endpoint(endpoint, settings), target).workloads.values()))
