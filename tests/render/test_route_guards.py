"""Who may come in: what each class of gateways is given, and what is refused rather than served open."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from declared_examples import EMBEDDED, ENVOY, KUBERNETES, USERS, a_deployment, rendered

from controller.model.desired import DesiredState, TargetProfile
from controller.model.errors import Stalled
from controller.model.objects import APPLY_ORDER, at
from controller.model.secret import Secret

pytestmark = pytest.mark.pure
GUARDED = a_deployment(basic_auth="predictors")
BCRYPT = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"


def copy_of(desired: DesiredState) -> Any:
    return next(obj for obj in desired.shared if obj["kind"] == "Secret")


def text_of(desired: DesiredState) -> str:
    return base64.b64decode(copy_of(desired)["data"][".htpasswd"]).decode()


@pytest.mark.parametrize("target", [KUBERNETES, ENVOY])
def test_the_gateways_copy_has_one_key_and_only_lines_of_users(target: TargetProfile) -> None:
    desired = rendered(GUARDED, target, USERS)
    assert set(copy_of(desired)["data"]) == {".htpasswd"}
    assert [line.partition(":")[0] for line in text_of(desired).splitlines()] == ["ann", "pointsman-probe"]


def test_of_two_lines_for_a_user_the_first_counts() -> None:
    twice = Secret("ann:{SHA}first\n\nann:{SHA}second\nbob:{SHA}b:a comment\n")
    assert text_of(rendered(GUARDED, KUBERNETES, twice)) == "ann:{SHA}first\nbob:{SHA}b\n"


def test_traefik_asks_before_anything_else_happens_to_a_request() -> None:
    desired = rendered(GUARDED, KUBERNETES, USERS)
    middleware = next(obj for obj in desired.shared if obj["kind"] == "Middleware")
    assert middleware["spec"] == {"basicAuth": {"removeHeader": True, "secret": copy_of(desired)["metadata"]["name"]}}
    routes = [*desired.version_routes.values(), *desired.aliases["production"].routes.values()]
    for route in routes:
        first = at(route.template, "spec", "rules", 0, "filters", 0)
        name = middleware["metadata"]["name"]
        assert first == {
            "type": "ExtensionRef",
            "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": name},
        }


def test_envoy_is_given_a_policy_for_every_route_and_takes_the_password_away() -> None:
    desired = rendered(GUARDED, ENVOY, USERS)
    for route in [*desired.version_routes.values(), *desired.aliases["production"].routes.values()]:
        assert route.policy is not None
        assert at(route.policy, "spec", "targetRefs", 0, "name") == route.key.name
        assert at(route.policy, "spec", "basicAuth", "users", "name") == copy_of(desired)["metadata"]["name"]
        filters = at(route.template, "spec", "rules", 0, "filters")
        assert filters[0]["requestHeaderModifier"]["remove"] == ["Authorization"]


def test_what_guards_a_route_is_applied_before_it() -> None:
    guards = [APPLY_ORDER.index(kind) for kind in ("Secret", "Middleware", "SecurityPolicy")]
    assert max(guards) < APPLY_ORDER.index("HTTPRoute")


@pytest.mark.parametrize("target", [KUBERNETES, ENVOY])
def test_users_that_are_not_known_leave_their_copy_alone(target: TargetProfile) -> None:
    desired = rendered(GUARDED, target)
    assert {obj["kind"] for obj in desired.shared} == {"Namespace", "ServiceAccount"}
    assert desired.guards == rendered(GUARDED, target, USERS).guards
    assert desired.version_routes == rendered(GUARDED, target, USERS).version_routes


def test_the_copy_is_the_same_object_whatever_the_users_are() -> None:
    one, two = (copy_of(rendered(GUARDED, KUBERNETES, Secret(f"{name}:{{SHA}}x"))) for name in ("ann", "bob"))
    assert one["metadata"] == two["metadata"]
    assert one["data"] != two["data"]


def test_a_password_that_the_gateway_cannot_check_is_refused_by_the_users_name() -> None:
    stored = Secret(f"ann:{{SHA}}x\nbob:{BCRYPT}\n")
    assert "bob:$2y$" in text_of(rendered(GUARDED, KUBERNETES, stored))
    with pytest.raises(Stalled, match="password of user 'bob'") as refused:
        rendered(GUARDED, ENVOY, stored)
    assert BCRYPT not in f"{refused.value} {refused.value.hint}"


def test_a_password_in_plain_text_is_refused_everywhere() -> None:
    for target in (KUBERNETES, ENVOY):
        with pytest.raises(Stalled, match="'ann'") as refused:
            rendered(GUARDED, target, Secret("ann:letmein\n"))
        assert "letmein" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("target", [KUBERNETES, EMBEDDED])
def test_a_target_may_forbid_open_access(target: TargetProfile) -> None:
    closed = replace(target, open_access=False)
    with pytest.raises(Stalled, match="allows no deployment without `access`"):
        rendered(a_deployment(), closed)
    assert rendered(GUARDED, closed, USERS).version_routes
