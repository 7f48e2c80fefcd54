"""A declared state against the whole text of what it becomes; run with UPDATE_GOLDEN=1 to write the files anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from declared_examples import (
    ALIAS_FILE,
    EMBEDDED,
    ENVOY,
    KUBERNETES,
    REVISION,
    USERS,
    a_deployment,
    declared,
    rendered,
    snapshot,
    with_endpoint,
)

from controller.model import labels
from controller.model.declared import EndpointDefinition, EndpointSettings, Scale, VersionEndpoint
from controller.model.desired import DesiredState
from controller.model.diagnostics import Diagnostic, Location, Severity, Subject
from controller.model.errors import Stalled
from controller.model.identity import UnitKey
from controller.model.images import Image
from controller.model.objects import API_VERSIONS, annotation, at, key_of
from controller.model.routes import with_backend
from controller.render.renderer import render, render_gone

pytestmark = pytest.mark.pure
GOLDEN = Path(__file__).parent / "golden"


class Plain(yaml.SafeDumper):
    """Writes every value out: a reader should not have to follow anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def every_object(desired: DesiredState) -> Iterator[dict[str, Any]]:
    yield from map(dict, desired.shared)
    for workload in desired.workloads.values():
        yield from (dict(o) for o in (*workload.objects, workload.disruption, workload.autoscaler) if o)
    routes = [*desired.version_routes.values(), *(r for alias in desired.aliases.values() for r in alias.routes.values())]
    yield from (dict(o) for route in routes for o in (route.policy, route.template) if o)


@pytest.mark.parametrize(("name", "target"), [("kubernetes", KUBERNETES), ("envoy", ENVOY), ("embedded", EMBEDDED)])
def test_the_documented_project(name: str, target: Any) -> None:
    found = declared(a_deployment(basic_auth="predictors"))
    desired = render(found, "americas", target, {}, users=USERS, snapshot=snapshot())
    text = yaml.dump_all(every_object(desired), Dumper=Plain, width=1000)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_every_object_says_whose_it_is() -> None:
    desired = render(declared(), "americas", KUBERNETES, {}, snapshot=snapshot())
    for obj in every_object(desired):
        assert obj["apiVersion"] == API_VERSIONS[obj["kind"]]
        assert obj["metadata"]["labels"][labels.MANAGED_BY] == "pointsman"
        if obj["kind"] != "Namespace":
            assert obj["metadata"]["labels"][labels.UNIT] == desired.unit.hash
            assert annotation(obj, labels.UNIT_NAME) == "ruksi/mnist/americas"
            assert annotation(obj, labels.SOURCE) == snapshot().source
            assert key_of(obj).namespace == desired.namespace


def test_units_of_one_project_agree_on_their_namespace() -> None:
    americas = declared()
    europe = replace(a_deployment(), name="europe")
    both = replace(americas, deployments={**americas.deployments, "europe": europe})
    first, second = (render(both, name, KUBERNETES, {}, snapshot=snapshot()).shared[0] for name in ("americas", "europe"))
    assert first == second


def test_no_workload_says_how_many_replicas_it_has() -> None:
    assert all("replicas" not in w.deployment["spec"] for w in rendered().workloads.values())


def test_a_built_image_is_named_by_its_digest() -> None:
    workload = rendered().workloads["20181002.0", "predict-digit"]
    assert workload.image is None
    image = Image(workload.spec.key, "registry.example.com/models/ruksi/mnist@sha256:" + "d" * 64, "sha256:" + "d" * 64)
    again = render(declared(), "americas", KUBERNETES, {image.key: image}).workloads["20181002.0", "predict-digit"]
    assert again.image == image
    assert at(again.deployment, "spec", "template", "spec", "containers", 0, "image") == image.reference
    assert again.name == workload.name


def test_a_fixed_size_has_no_autoscaler_but_a_disruption_budget() -> None:
    greet = rendered().workloads["20181002.0", "greet-me"]
    assert greet.autoscaler is None
    assert greet.disruption is not None


def test_recreate_is_a_strategy_of_the_deployment() -> None:
    found = a_deployment()
    recreated = rendered(replace(found, rollout=replace(found.rollout, strategy="recreate")))
    assert {str(w.deployment["spec"]["strategy"]) for w in recreated.workloads.values()} == {"{'type': 'Recreate'}"}


def test_an_alias_leads_over_the_endpoints_of_its_version() -> None:
    production = rendered().aliases["production"]
    assert (production.version, production.file) == ("20181002.0", ALIAS_FILE)
    assert {r.path for r in production.routes.values()} == {
        "/ruksi/mnist/americas/production/greet-me",
        "/ruksi/mnist/americas/production/predict-digit",
    }


def test_a_route_takes_the_backend_that_the_plan_chooses() -> None:
    route = rendered().aliases["production"].routes["greet-me"]
    filled = with_backend(route.template, "greet-me-20181002-0-0123456789", "20181002.0")
    assert [f["type"] for f in at(filled, "spec", "rules", 0, "filters")] == ["RequestHeaderModifier", "ResponseHeaderModifier"]


def test_access_that_a_gateway_cannot_keep_is_refused_not_served_open() -> None:
    unknown = replace(KUBERNETES, gateway_class="example.com/gateway")
    with pytest.raises(Stalled, match=r"access\.basicAuth cannot be had from gateway class 'example.com/gateway'"):
        rendered(a_deployment(basic_auth="predictors"), unknown, USERS)


def test_a_workload_waits_for_the_secrets_of_its_environment_and_of_its_users() -> None:
    workloads = rendered(a_deployment(basic_auth="predictors"), EMBEDDED).workloads
    needed = {(s.secret, s.key) for s in workloads["20181002.0", "predict-digit"].secrets}
    assert needed == {("api", "token"), ("predictors", ".htpasswd")}


def test_mistakes_of_other_deployments_do_not_concern_this_one() -> None:
    def diagnostic(subject: Subject) -> tuple[Diagnostic, ...]:
        return (Diagnostic("PM101", Severity.ERROR, "wrong", Location("f", 1), subject),)

    ours = [Subject("alias", "americas/staging"), Subject("version", "20181003.0"), Subject("project")]
    others = [Subject("alias", "europe/staging"), Subject("deployment", "europe")]
    held = {subject: diagnostic(subject) for subject in (*ours, *others)}
    desired = render(replace(declared(), held=held), "americas", KUBERNETES, {})
    assert set(desired.held) == set(ours)


def test_history_comes_from_the_snapshot() -> None:
    desired = render(declared(), "americas", KUBERNETES, {}, snapshot=snapshot(), rewritten=True)
    assert desired.rewritten
    assert desired.released(ALIAS_FILE)


def test_a_deployment_that_left_git_has_nothing() -> None:
    unit = UnitKey("ruksi", "mnist", "africa")
    gone = render_gone(unit, REVISION, KUBERNETES, snapshot=snapshot())
    assert gone.gone
    assert gone.namespace == unit.namespace
    assert list(every_object(gone)) == []


def test_bounds_without_a_cpu_request_are_a_fixed_size_and_a_notice() -> None:
    plain = VersionEndpoint(EndpointDefinition("web", "python:3.11", command="serve"), "python:3.11")
    desired = rendered(with_endpoint(plain, EndpointSettings(scale=Scale(2, 5))))
    assert [w.autoscaler for w in desired.workloads.values()] == [None]
    assert "web has no CPU request to measure load against, so it stays at scale.min 2" in desired.notices
    limited = rendered(with_endpoint(plain, EndpointSettings(scale=Scale(2, 5), resources={"cpu": {"max": 1}})))
    assert all(w.autoscaler for w in limited.workloads.values())
