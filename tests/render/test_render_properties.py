"""What holds for every declared state."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from declared_examples import ENVOY, KUBERNETES, a_deployment, a_version, declared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.model.declared import (
    Alias,
    DeclaredState,
    EndpointDefinition,
    EndpointSettings,
    Scale,
    SecretRef,
    ServedVersion,
    Version,
    VersionEndpoint,
)
from controller.model.desired import DesiredState
from controller.model.diagnostics import Location
from controller.model.objects import applied_hash
from controller.render.renderer import render

pytestmark = pytest.mark.pure

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True)
ENDPOINTS = st.from_regex(r"[a-z][a-z0-9-]{1,40}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
VARIABLES = st.dictionaries(
    st.from_regex(r"[A-Z][A-Z0-9_]{0,9}", fullmatch=True),
    TEXTS | st.builds(SecretRef, st.just("api"), st.sampled_from(["token", "key"])),
    max_size=4,
)
AMOUNTS = st.integers(1, 100_000) | st.floats(0.001, 10_000, allow_nan=False)
RESOURCES = st.fixed_dictionaries({}, optional={kind: st.fixed_dictionaries({"min": AMOUNTS}) for kind in ("cpu", "memory")})
SETTINGS = st.builds(
    EndpointSettings,
    scale=st.builds(Scale, st.integers(0, 3), st.integers(3, 9)),
    health=st.none() | st.just("/healthz"),
    timeout=st.floats(0.01, 1_000_000),
    environment=VARIABLES,
    resources=RESOURCES,
)


@st.composite
def states(draw: st.DrawFn) -> DeclaredState:
    endpoints = draw(st.lists(ENDPOINTS, min_size=1, max_size=3, unique=True))
    served = {
        name: draw(served_versions(name, endpoints)) for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    }
    unused = draw(NAMES.filter(lambda name: name not in served))
    aliases = {unused: Alias(unused, next(iter(served)), Location("a.yaml"))}
    return declared(replace(a_deployment(), versions=served, aliases=aliases))


@st.composite
def served_versions(draw: st.DrawFn, name: str, endpoints: list[str]) -> ServedVersion:
    found = {}
    for endpoint in endpoints:
        command = draw(TEXTS.filter(bool))
        found[endpoint] = VersionEndpoint(EndpointDefinition(endpoint, "python:3.11", command=command), "python:3.11")
    version: Version = replace(a_version(name), endpoints=found)
    return ServedVersion(version, {endpoint: draw(SETTINGS) for endpoint in endpoints})


def templates(desired: DesiredState) -> list[Any]:
    workloads = [o for w in desired.workloads.values() for o in (*w.objects, w.autoscaler, w.disruption) if o]
    routes = [r.template for r in desired.version_routes.values()]
    routes += [r.template for a in desired.aliases.values() for r in a.routes.values()]
    return [*desired.shared, *workloads, *routes]


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: backwards(v) for k, v in reversed(value.items())}
    if hasattr(value, "__dataclass_fields__"):
        return replace(value, **{f: backwards(getattr(value, f)) for f in value.__dataclass_fields__})
    return value


@PATIENT
@given(states())
def test_rendering_does_not_depend_on_the_order_of_maps(state: DeclaredState) -> None:
    first, second = render(state, "americas", KUBERNETES, {}), render(backwards(state), "americas", KUBERNETES, {})
    assert first == second
    assert {applied_hash(o) for o in templates(first)} == {applied_hash(o) for o in templates(second)}


@PATIENT
@given(states())
def test_rendering_leaves_its_input_unchanged(state: DeclaredState) -> None:
    before = copy.deepcopy(state)
    render(state, "americas", KUBERNETES, {})
    assert state == before


@PATIENT
@given(states())
def test_every_name_is_valid_and_nobody_elses(state: DeclaredState) -> None:
    desired = render(state, "americas", KUBERNETES, {})
    names = [w.name for w in desired.workloads.values()]
    routes = [r.key.name for r in desired.version_routes.values()]
    routes += [r.key.name for a in desired.aliases.values() for r in a.routes.values()]
    assert len(set(names)) == len(names)
    assert len(set(routes)) == len(routes)
    assert all(re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in [*names, *routes])


@PATIENT
@given(states())
def test_objects_have_no_leaf_that_the_server_would_drop(state: DeclaredState) -> None:
    for obj in templates(render(state, "americas", KUBERNETES, {})):
        for path, value in leaves(obj):
            assert value is not None, path
            assert value not in ({}, [], "") or path[-1] == "group", path


@PATIENT
@given(states())
def test_durations_are_in_the_gateways_grammar(state: DeclaredState) -> None:
    for route in render(state, "americas", ENVOY, {}).version_routes.values():
        text = route.template["spec"]["rules"][0]["timeouts"]["request"]
        assert re.fullmatch(r"([0-9]{1,5}(h|m|s|ms)){1,4}", text)
        assert not re.fullmatch(r"(0(h|m|s|ms))+", text)


@PATIENT
@given(ENDPOINTS, st.from_regex(r"key-[0-9a-f]{16}", fullmatch=True))
def test_of_a_secret_only_name_and_key_are_said_and_only_where_kubelet_reads_them(endpoint: str, key: str) -> None:
    said = EndpointSettings(environment={"TOKEN": SecretRef("api", key)})
    found = VersionEndpoint(EndpointDefinition(endpoint, "i", command="run"), "i")
    version = replace(a_version(), endpoints={endpoint: found})
    deployment = replace(a_deployment(), versions={version.name: ServedVersion(version, {endpoint: said})})
    desired = render(declared(deployment), "americas", KUBERNETES, {})
    places = [path for obj in templates(desired) for path, value in leaves(obj) if key in str(value)]
    assert [path[-3:] for path in places] == [("valueFrom", "secretKeyRef", "key")]


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every scalar with its path; an empty map or list is a leaf of its own."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, (list, tuple)) else None
    if not items:
        yield path, value
        return
    for step, below in items:
        yield from leaves(below, (*path, str(step)))
