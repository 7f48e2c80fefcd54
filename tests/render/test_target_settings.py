"""What the target's own configuration says: namespace, security profile, pull secrets, listener, hostnames, timeouts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from declared_examples import EMBEDDED, ENVOY, GREET, KUBERNETES, PREDICT, PREDICT_SETTINGS, only_workload, rendered

from controller.model.declared import EndpointDefinition, EndpointSettings, VersionEndpoint
from controller.model.desired import TargetProfile
from controller.model.objects import at

pytestmark = pytest.mark.pure
NONE = replace(KUBERNETES, security="none")
RESTRICTED = replace(KUBERNETES, security="restricted")


def contexts(target: TargetProfile, port: int = 8000) -> tuple[Any, Any]:
    endpoint = VersionEndpoint(EndpointDefinition("web", "python:3.11", command="serve", port=port), "python:3.11")
    pod = only_workload(endpoint, EndpointSettings(), target).deployment["spec"]["template"]["spec"]
    return pod["securityContext"], pod["containers"][0]["securityContext"]


def test_root_bounded_forbids_everything_but_root() -> None:
    pod, container = contexts(KUBERNETES)
    assert pod == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert container == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_restricted_forbids_root_too() -> None:
    pod, container = contexts(RESTRICTED)
    assert pod == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container == contexts(KUBERNETES)[1]


def test_none_forbids_nothing() -> None:
    assert contexts(NONE) == ({}, {})


@pytest.mark.parametrize(("port", "added"), [(80, ["NET_BIND_SERVICE"]), (1023, ["NET_BIND_SERVICE"]), (1024, None)])
def test_a_low_port_needs_a_capability(port: int, added: list[str] | None) -> None:
    assert contexts(RESTRICTED, port)[1]["capabilities"].get("add") == added


@pytest.mark.parametrize(("target", "level"), [(KUBERNETES, "baseline"), (RESTRICTED, "restricted"), (NONE, "privileged")])
def test_a_namespace_admits_its_profile_and_warns_of_more(target: TargetProfile, level: str) -> None:
    said = rendered(target=target).shared[0]["metadata"]["labels"]
    assert said["pod-security.kubernetes.io/enforce"] == level
    assert said["pod-security.kubernetes.io/warn"] == "restricted"


def test_another_profile_needs_new_pods() -> None:
    names = {only_workload(PREDICT, PREDICT_SETTINGS, target).name for target in (KUBERNETES, RESTRICTED, NONE)}
    assert len(names) == 3


def test_images_are_pulled_with_the_targets_secrets_and_another_one_restarts_nothing() -> None:
    with_one = rendered()
    without = rendered(target=replace(KUBERNETES, pull_secrets=()))
    assert with_one.shared[1]["imagePullSecrets"] == [{"name": "registry"}]
    assert "imagePullSecrets" not in without.shared[1]
    assert with_one.workloads == without.workloads


def test_a_given_namespace_holds_every_project() -> None:
    desired = rendered(target=replace(KUBERNETES, namespace="inference"))
    assert desired.namespace == "inference"
    workload = next(iter(desired.workloads.values()))
    assert {obj["metadata"]["namespace"] for obj in workload.objects} == {"inference"}
    assert desired.shared[0]["metadata"]["name"] == "inference"


def test_routes_name_listener_and_hostnames() -> None:
    spec = rendered().aliases["production"].routes["greet-me"].template["spec"]
    assert spec["hostnames"] == ["inference.example.com"]
    assert spec["parentRefs"][0]["sectionName"] == "web"
    open_spec = rendered(target=replace(KUBERNETES, listener=None, hostnames=())).version_routes["20181002.0", "greet-me"]
    assert "hostnames" not in open_spec.template["spec"]
    assert "sectionName" not in open_spec.template["spec"]["parentRefs"][0]


@pytest.mark.parametrize(("target", "kept"), [(KUBERNETES, False), (ENVOY, True), (EMBEDDED, True)])
def test_a_timeout_is_only_asked_of_a_gateway_that_keeps_it(target: TargetProfile, *, kept: bool) -> None:
    desired = rendered(target=target)
    rule = at(desired.version_routes["20181002.0", "predict-digit"].template, "spec", "rules", 0)
    assert (rule.get("timeouts") == {"request": "120s"}) is kept
    told = [notice for notice in desired.notices if "timeout" in notice]
    assert told == ([] if kept else [TIMEOUT_NOTICE])


TIMEOUT_NOTICE = (
    "predict-digit: gateway class traefik.io/gateway-controller ends no request that takes too long;"
    " timeout 120s has no effect there"
)


def test_a_timeout_that_nobody_chose_is_not_told() -> None:
    assert only_workload(GREET, EndpointSettings()).timeout == 60.0
    assert not any("greet-me" in notice for notice in rendered().notices)
