"""Server-side apply's rules as properties over generated configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.embedded.merge import field_set, subtract, union
from controller.embedded.ownership import body_of
from controller.embedded.revision import next_object
from controller.embedded.topology import topology_of
from controller.model.objects import Object

pytestmark = pytest.mark.pure

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.one_of(st.integers(0, 2), st.sampled_from(["x", "y"]))
MAPS = st.dictionaries(NAMES, st.one_of(SCALARS, st.dictionaries(NAMES, SCALARS), st.lists(SCALARS, max_size=2)), max_size=3)
ENV = st.lists(st.fixed_dictionaries({"name": NAMES, "value": SCALARS}), unique_by=lambda item: item["name"], max_size=3)
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"env": ENV, "args": st.lists(SCALARS, max_size=2), "resources": MAPS}),
    unique_by=lambda item: item["name"],
    max_size=3,
)


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": draw(CONTAINERS)}}, "extra": draw(MAPS)}
    metadata = {"name": "one", "namespace": "test", "labels": draw(st.dictionaries(NAMES, st.just("x")))}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def applied(live: Object | None, config: Object, manager: str = "ours") -> Object:
    return next_object(live, config, manager, version=1, now="2026-01-01T00:00:00Z", uid="uid")


def fields(obj: Object) -> Mapping[str, Any]:
    return field_set(body_of(obj), topology_of("Deployment"))


@given(configurations())
def test_alone_one_gets_exactly_what_one_applies(config: dict[str, Any]) -> None:
    assert body_of(applied(None, config)) == body_of(config)


@given(configurations(), configurations())
def test_alone_only_the_last_configuration_counts(before: dict[str, Any], after: dict[str, Any]) -> None:
    merged = applied(applied(None, before), after)
    assert fields(merged) == fields(after)


@given(configurations(), configurations(), configurations())
def test_applying_again_changes_nothing(ours: dict[str, Any], theirs: dict[str, Any], later: dict[str, Any]) -> None:
    live = applied(applied(applied(None, ours), theirs, "theirs"), later)
    assert applied(live, later) is live


@given(configurations(), configurations())
def test_what_others_own_stays(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    nothing = {**ours, "metadata": {"name": "one", "namespace": "test"}, "spec": {}}
    live = applied(applied(applied(None, ours), theirs, "theirs"), nothing)
    assert not subtract(fields(theirs), fields(live))


@given(configurations(), configurations())
def test_every_applied_field_is_there(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    live = applied(applied(None, ours), theirs, "theirs")
    assert not subtract(fields(theirs), fields(live))


@given(configurations(), configurations())
def test_a_union_holds_both(one: dict[str, Any], other: dict[str, Any]) -> None:
    both = union([fields(one), fields(other)])
    assert not subtract(fields(one), both)
    assert not subtract(fields(other), both)
