"""What an alias rolls back to, and what versions are called."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.cli.stack import rollback_target, stack_of
from controller.cli.version_names import next_version_name

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("values", "stack"),
    [
        ("", ""),
        ("a", "a"),
        ("aa", "a"),
        ("abc", "abc"),
        ("abcb", "ab"),
        ("abcbd", "abd"),
        ("abca", "a"),
        ("abab", "ab"),
    ],
)
def test_a_known_value_pops_and_any_other_is_pushed(values: str, stack: str) -> None:
    assert stack_of(values) == tuple(stack)


@pytest.mark.parametrize(
    ("stack", "usable", "confirmed", "target"),
    [
        ("abc", "abc", "abc", "b"),
        ("abc", "abc", "a", "a"),
        ("abc", "abc", "c", None),
        ("abc", "abc", None, "b"),
        ("abc", "ac", None, "a"),
        ("a", "a", "a", None),
        ("", "", None, None),
    ],
)
def test_the_nearest_below_the_top_that_is_known_to_have_served(
    stack: str, usable: str, confirmed: str | None, target: str | None
) -> None:
    assert rollback_target(tuple(stack), usable, confirmed) == target


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from("abcdef"), min_size=1))
def test_repeated_it_goes_further_back_and_never_forward(values: list[str]) -> None:
    seen = []
    while (target := rollback_target(stack_of(values), "abcdef", None)) is not None:
        assert target not in seen
        seen.append(target)
        values = [*values, target]
        assert stack_of(values)[-1] == target
    assert seen == list(reversed(stack_of(values[: len(values) - len(seen)])[:-1]))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from("abcdef"), min_size=1))
def test_a_stack_holds_each_value_once_and_ends_with_the_newest(values: list[str]) -> None:
    stack = stack_of(values)
    assert len(set(stack)) == len(stack)
    assert stack[-1] == values[-1]


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ([], "20181002.0"),
        (["20181002.0", "20181002.2"], "20181002.3"),
        (["20181002.9", "20181002.10"], "20181002.11"),
        (["20181001.5", "20181002.x", "20181002.01", "other"], "20181002.0"),
    ],
)
def test_the_next_free_number_of_the_day(taken: list[str], name: str) -> None:
    assert next_version_name(date(2018, 10, 2), taken) == name
