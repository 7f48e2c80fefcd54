"""What somebody adds to an object: undone where an apply replaces lists as a whole, left where others have their say."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from controller.model.changes import Operation
from controller.model.objects import Object, at, put
from controller.model.routes import with_backend
from controller.plan.compare import compare, marked
from tests.plan.world import World, deployment

pytestmark = pytest.mark.pure
HEADERS = [{"type": "Exact", "name": "x-theirs", "value": "yes"}]
THEIRS = {"group": "", "kind": "Service", "name": "theirs", "port": 80, "weight": 1}
MIDDLEWARE = {"kind": "Middleware", "spec": {"chain": {"middlewares": [{"name": "ours"}]}}}
POLICY = {"kind": "SecurityPolicy", "spec": {"targetRefs": [{"group": "", "kind": "HTTPRoute", "name": "ours"}]}}
ROUTE = {
    "kind": "HTTPRoute",
    "spec": {
        "parentRefs": [{"name": "gateway"}],
        "hostnames": ["models.example.com"],
        "rules": [{"matches": [{"path": {"value": "/"}}], "filters": [], "backendRefs": [{"name": "ours", "port": 80}]}],
    },
}
RULE = ("spec", "rules", 0)
ADDED: dict[str, tuple[Object, tuple[str | int, ...], Any]] = {
    "a share of the traffic": (ROUTE, (*RULE, "backendRefs"), THEIRS),
    "a rule": (ROUTE, ("spec", "rules"), {"backendRefs": [THEIRS]}),
    "a match": (ROUTE, (*RULE, "matches"), {"path": {"type": "PathPrefix", "value": "/theirs"}}),
    "a hostname": (ROUTE, ("spec", "hostnames"), "theirs.example.com"),
    "a parent": (ROUTE, ("spec", "parentRefs"), {"name": "theirs"}),
    "a middleware": (MIDDLEWARE, ("spec", "chain", "middlewares"), {"name": "theirs"}),
    "a guarded route": (POLICY, ("spec", "targetRefs"), {"group": "", "kind": "HTTPRoute", "name": "theirs"}),
}


def applied(obj: Object) -> tuple[Object, dict[str, Any]]:
    """An object as we want it, and a deep copy as it was found after it was applied."""
    wanted = {"apiVersion": "v1", "metadata": {"name": "it", "namespace": "ns"}, **obj}
    made = compare(wanted, None, reason="")
    return wanted, deepcopy(dict(made.desired or {}))


def changes(obj: Object, edit: Callable[[Any], None]) -> list[tuple[str, str | None, str | None]]:
    wanted, found = applied(obj)
    edit(found)
    change = compare(wanted, found, reason="")
    assert (change.operation is Operation.UPDATE) is bool(change.fields)
    return [(field.path, field.old, field.new) for field in change.fields]


@pytest.mark.parametrize("name", ADDED)
def test_an_item_too_many_is_a_difference_and_named(name: str) -> None:
    obj, path, item = ADDED[name]
    place = ".".join(map(str, (*path, len(at(obj, *path)))))
    assert changes(obj, lambda found: at(found, *path).append(item)) == [(place, str(item), None)]


@pytest.mark.parametrize(
    ("path", "name", "added"),
    [
        ((*RULE, "matches", 0), "headers", HEADERS),
        ((*RULE, "backendRefs", 0), "filters", [{"type": "RequestMirror"}]),
    ],
)
def test_a_list_that_an_item_of_ours_does_not_have_is_a_difference(path: tuple[str | int, ...], name: str, added: Any) -> None:
    found = changes(ROUTE, lambda found: at(found, *path).update({name: added}))
    assert found == [(".".join(map(str, (*path, name))), str(added), None)]


def test_an_item_put_before_ours_is_a_difference() -> None:
    told = changes(ROUTE, lambda found: at(found, *RULE, "backendRefs").insert(0, THEIRS))
    assert [path for path, _, _ in told] == ["spec.rules.0.backendRefs.0.name", "spec.rules.0.backendRefs.1"]


def test_what_an_api_server_fills_in_is_none() -> None:
    def default(found: Any) -> None:
        at(found, "spec", "parentRefs", 0).update({"group": "gateway.networking.k8s.io", "kind": "Gateway"})
        at(found, *RULE, "matches", 0, "path").update({"type": "PathPrefix"})
        at(found, *RULE, "backendRefs", 0).update({"group": "", "kind": "Service", "weight": 1, "filters": []})
        at(found, *RULE).pop("filters")
        at(found, *RULE).update({"timeouts": {"request": "10s"}})
        found["metadata"].update({"finalizers": ["theirs"], "ownerReferences": [{"name": "theirs"}]})

    assert changes(ROUTE, default) == []


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
def test_lists_that_others_may_add_to_are_compared_by_what_we_want(kind: str) -> None:
    obj = {"kind": kind, "spec": {"containers": [{"name": "ours", "env": [{"name": "A", "value": "1"}]}]}}

    def inject(found: Any) -> None:
        at(found, "spec", "containers", 0, "env").append({"name": "B", "value": "2"})
        at(found, "spec", "containers").append({"name": "sidecar"})

    assert changes(obj, inject) == []


def test_a_share_that_was_led_elsewhere_comes_back_with_the_next_plan() -> None:
    made = World()
    made.declare(deployment(["1.0"], {"production": "1.0"}))
    assert made.settle().is_settled
    for key in [key for key in made.objects if key.kind == "HTTPRoute"]:
        [rule] = made.objects[key]["spec"]["rules"]
        shared = {**rule, "backendRefs": [*rule["backendRefs"], THEIRS]}
        made.objects[key] = put(made.objects[key], [shared], "spec", "rules")
        [change] = made.plan().changes
        assert (change.key, [field.path for field in change.fields]) == (key, ["spec.rules.0.backendRefs.1"])
        made.run()
        assert len(made.objects[key]["spec"]["rules"][0]["backendRefs"]) == 1
    assert made.settle().is_settled


def test_another_revision_alone_is_still_no_difference() -> None:
    template = put(put(ROUTE, {"name": "it", "namespace": "ns", "annotations": {}}, "metadata"), "v1", "apiVersion")
    route = with_backend(template, "workload", "1.0")
    found = compare(marked(route, "a" * 40), None, reason="").desired
    assert compare(marked(route, "b" * 40), found, reason="").operation is Operation.UNCHANGED
