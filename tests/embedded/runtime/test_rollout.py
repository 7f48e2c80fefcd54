from __future__ import annotations

import pytest

from controller.embedded.runtime.rollout import Member, Step, next_step

pytestmark = pytest.mark.pure


def new(name: str, created: float = 1.0, *, available: bool = True, blocked: bool = False) -> Member:
    return Member(name, created, True, available, blocked)


def old(name: str, created: float = 0.0, *, available: bool = True) -> Member:
    return Member(name, created, False, available)


@pytest.mark.parametrize(
    ("wanted", "members", "step"),
    [
        pytest.param(0, [], Step(0, ()), id="nothing wanted"),
        pytest.param(3, [], Step(3, ()), id="all at once where nothing is old"),
        pytest.param(2, [new("a"), new("b")], Step(0, ()), id="as wanted"),
        pytest.param(1, [new("a", 1), new("b", 2), new("c", 3)], Step(0, ("b", "c")), id="scaling down keeps the oldest"),
        pytest.param(1, [old("o")], Step(1, ()), id="new before old"),
        pytest.param(1, [old("o"), new("n", available=False)], Step(0, ()), id="old until new serves"),
        pytest.param(1, [old("o"), new("n")], Step(0, ("o",)), id="old goes once new serves"),
        pytest.param(3, [old("o"), old("p"), old("q")], Step(1, ()), id="one more than wanted at a time"),
        pytest.param(2, [old("o"), old("p", available=False)], Step(1, ()), id="a broken old one gives no room early"),
        pytest.param(2, [old("o"), old("p", available=False), new("n")], Step(0, ("p",)), id="a broken old one goes first"),
        pytest.param(0, [old("o"), new("n")], Step(0, ("n", "o")), id="everything goes"),
        pytest.param(1, [old("o"), new("n", available=False, blocked=True)], Step(0, ("o",)), id="old gives up the port"),
    ],
)
def test_surge(wanted: int, members: list[Member], step: Step) -> None:
    assert next_step(wanted, members, 0, recreate=False) == step


def test_recreate_starts_nothing_before_the_old_one_is_gone() -> None:
    assert next_step(1, [old("o")], 0, recreate=True) == Step(0, ("o",))
    assert next_step(1, [], 1, recreate=True) == Step(0, ())
    assert next_step(1, [], 0, recreate=True) == Step(1, ())


@pytest.mark.parametrize("wanted", range(5))
@pytest.mark.parametrize("before", range(5))
def test_a_rollout_ends_with_the_wanted_replicas_and_never_serves_with_fewer(wanted: int, before: int) -> None:
    members = [old(f"o{n}", n) for n in range(before)]
    for turn in range(40):
        step = next_step(wanted, members, 0, recreate=False)
        members = [m for m in members if m.name not in step.stop]
        assert len(members) >= min(wanted, before)
        members += [new(f"n{turn}-{n}", 10 + turn) for n in range(step.start)]
        assert len(members) <= max(before, wanted + 1)
    assert [m.current for m in members] == [True] * wanted
