"""Passwords: there before a route needs them, kept while they are not known, gone only after every route."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model import labels
from controller.model.changes import Operation
from controller.model.desired import TargetProfile
from controller.model.objects import at, put
from controller.model.secret import Secret
from controller.plan import report
from controller.plan.planner import plan
from tests.plan.world import PROFILE, World, deployment, version

pytestmark = pytest.mark.pure
V1, V2 = "20181002.0", "20181003.0"
TRAEFIK = replace(PROFILE, kind="kubernetes", gateway_class="traefik.io/gateway-controller")
ENVOY = replace(PROFILE, kind="kubernetes", gateway_class="gateway.envoyproxy.io/gatewayclass-controller")
USERS = Secret("ann:{SHA}YW5u\npointsman-probe:{SHA}cHJvYmU=\n")
OTHERS = Secret("bob:{SHA}Ym9i\npointsman-probe:{SHA}cHJvYmU=\n")


def world(profile: object = TRAEFIK, *, guarded: bool = True, users: Secret | None = USERS) -> World:
    made = World()
    made.profile = profile  # type: ignore[assignment]
    made.secrets = {"predictors": frozenset({".htpasswd"})}
    made.users = users
    made.declare(declared(guarded=guarded))
    return made


def declared(*, guarded: bool, version: str = V1) -> object:
    return deployment([version], {"production": version}, basic_auth="predictors" if guarded else None)  # type: ignore[return-value]


def kinds(made: World) -> set[str]:
    return {key.kind for key in made.objects}


def guarded_routes(made: World) -> set[bool]:
    routes = [obj for key, obj in made.objects.items() if key.kind == "HTTPRoute"]
    return {at(obj, "spec", "rules", 0, "filters", 0, "type") == "ExtensionRef" for obj in routes}


def test_the_guards_are_written_before_the_first_route() -> None:
    made = world()
    assert made.settle().is_settled
    written = [change.key.kind for change in made.writes]
    assert max(written.index("Secret"), written.index("Middleware")) < written.index("HTTPRoute")
    assert guarded_routes(made) == {True}


def test_before_each_route_of_envoy_comes_its_policy() -> None:
    made = world(ENVOY)
    assert made.settle().is_settled
    written = [(change.key.kind, change.key.name) for change in made.writes]
    for kind, name in written:
        if kind == "HTTPRoute":
            assert written.index(("SecurityPolicy", name)) < written.index((kind, name))


@pytest.mark.parametrize("profile", [TRAEFIK, ENVOY])
def test_without_known_users_there_is_no_route(profile: object) -> None:
    made = world(profile, users=None)
    found = made.run()
    assert "HTTPRoute" not in kinds(made)
    assert "UsersUnknown" in {gate.reason for gate in found.gates}
    made.users = USERS
    assert made.settle().is_settled
    assert "HTTPRoute" in kinds(made)


@pytest.mark.parametrize("profile", [TRAEFIK, ENVOY])
def test_users_that_are_not_known_any_more_change_nothing(profile: object) -> None:
    made = world(profile)
    made.settle()
    before = dict(made.objects)
    made.users = None
    assert made.settle().is_settled
    assert made.objects == before


def test_access_that_is_added_reaches_the_routes_that_are_there_in_place() -> None:
    made = world(guarded=False)
    made.settle()
    uids = {key: obj["metadata"]["uid"] for key, obj in made.objects.items() if key.kind == "HTTPRoute"}
    made.declare(declared(guarded=True))  # type: ignore[arg-type]
    assert made.settle().is_settled
    assert guarded_routes(made) == {True}
    assert {key: made.objects[key]["metadata"]["uid"] for key in uids} == uids


def test_access_that_is_added_without_its_users_leaves_the_routes_as_they_are() -> None:
    made = world(guarded=False)
    made.settle()
    made.declare(declared(guarded=True))  # type: ignore[arg-type]
    made.users = None
    made.run()
    assert guarded_routes(made) == {False}
    assert {key.kind for key in made.objects} >= {"HTTPRoute"}


def test_access_that_is_removed_leaves_the_routes_first_and_the_guards_after_a_while() -> None:
    made = world()
    made.settle()
    made.declare(declared(guarded=False))  # type: ignore[arg-type]
    made.run()
    assert guarded_routes(made) == {False}
    assert kinds(made) >= {"Middleware", "Secret"}
    assert made.settle().is_settled
    assert not kinds(made) & {"Middleware", "Secret"}
    assert not made.record.facts or all(fact.subject != "access" for fact in made.record.facts)


def test_the_guards_stay_while_the_gateway_has_not_taken_the_routes_without_them() -> None:
    made = world()
    made.settle()
    made.declare(declared(guarded=False))  # type: ignore[arg-type]
    made.run()
    made.silent = True
    made.now += made.desired().drain_seconds + 1
    assert [gate.until for gate in made.run().gates if gate.reason == "Draining"] == [None]
    assert kinds(made) >= {"Middleware", "Secret"}
    made.silent = False
    made.run()
    assert not kinds(made) & {"Middleware", "Secret"}


def test_another_class_of_gateway_removes_what_only_the_former_one_understood() -> None:
    made = world()
    made.settle()
    made.profile = ENVOY
    made.run()
    assert "SecurityPolicy" in kinds(made)
    assert made.settle().is_settled
    assert "Middleware" not in kinds(made)
    assert "Middleware" not in {key.kind for key in made.plan().inventory}


def test_what_cannot_be_read_stays_in_the_inventory_and_is_named() -> None:
    made = world()
    made.settle()
    made.profile = ENVOY
    [key] = [key for key in made.record.inventory if key.kind == "Middleware"]
    seen = made.observed()
    others = {k: obj for k, obj in seen.objects.items() if k != key}
    found = plan(made.desired(), replace(seen, objects=others, unread=frozenset({key})), made.record, made.now)
    assert key in found.inventory
    assert any(warning.startswith(f"{key} cannot be read any more") for warning in found.warnings)
    assert key not in {change.key for change in found.changes}


def test_envoys_policies_go_with_their_routes_and_the_users_last() -> None:
    made = world(ENVOY)
    made.settle()
    made.declare(declared(guarded=True, version=V2))  # type: ignore[arg-type]
    assert made.settle().is_settled
    routes = {key.name for key in made.objects if key.kind == "HTTPRoute"}
    assert {key.name for key in made.objects if key.kind == "SecurityPolicy"} == routes
    made.declare(declared(guarded=False, version=V2))  # type: ignore[arg-type]
    assert made.settle().is_settled
    assert not kinds(made) & {"SecurityPolicy", "Secret"}


@pytest.mark.parametrize("profile", [TRAEFIK, ENVOY])
def test_a_deployment_that_goes_takes_its_guards_along(profile: object) -> None:
    made = world(profile)
    made.settle()
    made.declare(None, changed=("pointsman/deployments/americas/deployment.yaml",), release=True)
    made.settle()
    assert kinds(made) == {"Namespace"}


def test_a_secrets_values_are_in_no_report_but_in_the_fingerprint() -> None:
    made = world()
    first = made.plan()
    other = world(users=OTHERS).plan()
    assert report.fingerprint(first) != report.fingerprint(other)
    for found in (first, other):
        secret = next(c.desired for c in found.changes if c.key.kind == "Secret")
        assert secret is not None
        said = f"{report.to_json(found)} {report.to_text(found, verbose=True)} {report.to_markdown(found)}"
        assert secret["data"][".htpasswd"] not in said
        assert "{SHA}" not in said


def test_another_user_is_an_update_that_shows_no_value() -> None:
    made = world()
    made.settle()
    made.users = OTHERS
    (change,) = made.plan().changes
    assert (change.operation, change.key.kind) == (Operation.UPDATE, "Secret")
    shown = [(field.old, field.new) for field in change.fields if field.path.startswith("data")]
    assert shown == [("***", "***")]


def test_a_foreign_object_under_the_guards_name_lets_no_route_be() -> None:
    made = world()
    secret = next(c.desired for c in made.plan().changes if c.key.kind == "Secret" and c.desired)
    foreign = put(secret, "somebody/else/there", "metadata", "annotations", labels.UNIT_NAME)
    key = next(c.key for c in made.plan().changes if c.key.kind == "Secret")
    made.objects[key] = foreign
    found = made.plan()
    assert "ForeignObject" in {failure.reason for failure in found.failures}
    assert "HTTPRoute" not in {change.key.kind for change in found.changes}


def left_over(made: World, how: str) -> None:
    """A commit that adds access, and leaves a route on the target that nothing declares any more."""
    version_left = deployment([V2], {"production": V2}, basic_auth="predictors")
    alias_left = deployment([V1], {}, basic_auth="predictors")
    endpoint_left = deployment({V1: version(V1, ("greet",))}, {"production": V1}, basic_auth="predictors")
    made.declare({"version": version_left, "alias": alias_left, "endpoint": endpoint_left}[how])


@pytest.mark.parametrize("how", ["version", "alias", "endpoint"])
@pytest.mark.parametrize("profile", [PROFILE, TRAEFIK, ENVOY])
def test_access_that_is_added_reaches_the_routes_that_are_kept_although_nothing_declares_them(
    profile: TargetProfile, how: str
) -> None:
    made = world(profile, guarded=False)
    made.settle()
    before = {key for key in made.objects if key.kind == "HTTPRoute"}
    left_over(made, how)
    made.run()
    kept = {key for key in made.objects if key.kind == "HTTPRoute"}
    assert kept >= before, "a route of this test should be kept"
    if profile is ENVOY:
        assert {key.name for key in made.objects if key.kind == "SecurityPolicy"} == {key.name for key in kept}
    else:
        assert guarded_routes(made) == {True}
    assert made.plan().is_empty
