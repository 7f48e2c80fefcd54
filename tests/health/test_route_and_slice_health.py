"""Routes and EndpointSlices."""

from __future__ import annotations

from typing import Any

import pytest

from controller.health.routing import route_accepted
from controller.health.slices import ready_addresses
from controller.model.conditions import Health

pytestmark = pytest.mark.pure


def condition(kind: str, status: str = "True", generation: int = 2, **said: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "observedGeneration": generation, **said}


def route(*parents: list[dict[str, Any]]) -> dict[str, Any]:
    listed = [{"controllerName": f"c{i}", "conditions": conditions} for i, conditions in enumerate(parents)]
    return {"metadata": {"generation": 2}, "status": {"parents": listed}}


GOOD = [condition("Accepted"), condition("ResolvedRefs")]
REFUSED = [condition("Accepted", "False", reason="NotAllowedByListeners", message="no"), condition("ResolvedRefs")]
UNRESOLVED = [condition("Accepted"), condition("ResolvedRefs", "False", reason="BackendNotFound", message="Service w")]
STALE = [condition("Accepted", generation=1), condition("ResolvedRefs")]
STALE_REFUSAL = [condition("Accepted", "False", generation=1, reason="X")]

ROUTES: dict[str, tuple[dict[str, Any], Health, str]] = {
    "taken in": (route(GOOD), Health.HEALTHY, ""),
    "nobody answered": (route(), Health.PROGRESSING, "no gateway has answered for this route yet"),
    "refused": (route(REFUSED), Health.DEGRADED, "NotAllowedByListeners: no"),
    "without its Service": (route(UNRESOLVED), Health.DEGRADED, "BackendNotFound: Service w"),
    "of an older generation": (route(STALE), Health.PROGRESSING, "the gateway has not said Accepted of this change yet"),
    "refused when it was another": (
        route(STALE_REFUSAL),
        Health.PROGRESSING,
        "the gateway has not said Accepted and ResolvedRefs of this change yet",
    ),
    "only half valid": (
        route([*GOOD, condition("PartiallyInvalid", reason="UnsupportedValue")]),
        Health.DEGRADED,
        "UnsupportedValue",
    ),
    "good at one of two": (route(REFUSED, GOOD), Health.HEALTHY, ""),
    "refused at one, open at another": (route([], REFUSED), Health.DEGRADED, "NotAllowedByListeners: no"),
}


@pytest.mark.parametrize("case", ROUTES)
def test_a_route(case: str) -> None:
    found, health, message = ROUTES[case]
    judged = route_accepted(found)
    assert (judged.health, judged.message) == (health, message)


def endpoint(address: str, *, pod: str | None = None, **conditions: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"addresses": [address], "conditions": conditions}
    return {**found, "targetRef": {"kind": "Pod", "name": pod}} if pod else found


def slice_of(*endpoints: dict[str, Any], port: int = 8000) -> dict[str, Any]:
    return {"kind": "EndpointSlice", "endpoints": list(endpoints), "ports": [{"name": "http", "port": port}]}


SLICES: dict[str, tuple[list[dict[str, Any]], int]] = {
    "none": ([], 0),
    "empty": ([{"endpoints": None, "ports": None}], 0),
    "ready": ([slice_of(endpoint("10.0.0.1", pod="a", ready=True), endpoint("10.0.0.2", pod="b", ready=True))], 2),
    "terminating": ([slice_of(endpoint("10.0.0.1", pod="a", ready=False, serving=True, terminating=True))], 0),
    "unsaid means ready": ([slice_of(endpoint("10.0.0.1", pod="a"))], 1),
    "both address families": ([slice_of(endpoint("10.0.0.1", pod="a")), slice_of(endpoint("fd00::1", pod="a"))], 1),
    "the same in two slices": ([slice_of(endpoint("10.0.0.1")), slice_of(endpoint("10.0.0.1"))], 1),
    "on loopback by port": ([slice_of(endpoint("127.0.0.1"), port=1), slice_of(endpoint("127.0.0.1"), port=2)], 2),
}


@pytest.mark.parametrize("case", SLICES)
def test_slices(case: str) -> None:
    slices, expected = SLICES[case]
    assert ready_addresses(slices) == expected


def test_only_the_gateways_own_controller_counts_where_it_is_known() -> None:
    found = route(REFUSED, GOOD)
    assert route_accepted(found, "c0").health is Health.DEGRADED
    assert route_accepted(found, "c1").health is Health.HEALTHY
    assert route_accepted(found, "c2").message == "no gateway has answered for this route yet"
