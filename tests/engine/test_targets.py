"""Several targets: each deployment where it says, a lost target delays no other, and what left one goes there last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from controller.engine.cache import KINDS
from controller.engine.controller import Controller
from controller.engine.grants import Granted
from controller.model.identity import UnitKey
from controller.model.ports import WatchEvent
from controller.state.history import FileHistory
from tests.embedded.gateway.servers import eventually
from tests.engine.several import Declared, Several, several

pytestmark = pytest.mark.system


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Several]:
    with several(tmp_path / "targets", "east", "west") as made:
        yield made


def serves(controller: Controller, unit: UnitKey, target: str) -> Callable[[], bool]:
    def answer() -> bool:
        result = controller.result(unit, target)
        return bool(result and result.plan.is_settled and controller.target_errors() == ())

    return answer


def reasons(controller: Controller, unit: UnitKey, target: str) -> set[str]:
    result = controller.result(unit, target)
    return {gate.reason for gate in (*result.plan.gates, *result.plan.failures)} if result else set()


def test_each_deployment_is_served_where_it_says_and_nowhere_else(two: Several, tmp_path: Path) -> None:
    east, west = Declared(tmp_path / "a", "a", "east"), Declared(tmp_path / "b", "b", None)
    with (
        east.source() as first,
        west.source() as second,
        two.controlled([Granted(first), Granted(second)], default="west") as controller,
    ):
        assert eventually(serves(controller, east.unit, "east"))
        assert eventually(serves(controller, west.unit, "west"))
    assert (two.records("east"), two.records("west")) == (1, 1)


def test_a_thread_that_ends_by_itself_is_named(two: Several, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(*_: object, **__: object) -> Iterator[WatchEvent]:
        raise SystemExit

    with two.controlled([]) as controller:
        assert controller.ended() == ()
    monkeypatch.setattr(two.stores["west"], "watch", ends)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with two.controlled([]) as controller:
        assert eventually(lambda: len(controller.ended()) == len(KINDS))
        assert "watch-west-Deployment" in controller.ended()


def test_a_lost_target_delays_no_other_and_is_served_when_it_answers(two: Several, tmp_path: Path) -> None:
    two.stores["west"].lost.set()
    east, west = Declared(tmp_path / "a", "a", "east"), Declared(tmp_path / "b", "b", "west")
    with east.source() as first, west.source() as second, two.controlled([Granted(first), Granted(second)]) as controller:
        assert eventually(lambda: bool((r := controller.result(east.unit, "east")) and r.plan.is_settled))
        assert [error for error in controller.target_errors() if "west" in error and "does not answer" in error]
        two.stores["west"].lost.clear()
        assert eventually(serves(controller, west.unit, "west"))


def test_a_deployment_that_moves_is_removed_where_it_was_once_it_is_served_where_it_goes(two: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    with declared.source() as source, two.controlled([Granted(source)]) as controller:
        assert eventually(serves(controller, declared.unit, "east"))
        two.stores["west"].lost.set()
    declared.move_to("west")
    with declared.source() as source, two.controlled([Granted(source)]) as controller:
        assert eventually(lambda: reasons(controller, declared.unit, "east") == {"MovingToTarget"})
        assert two.records("east") == 1
        two.stores["west"].lost.clear()
        assert eventually(serves(controller, declared.unit, "west"))
        assert eventually(lambda: two.records("east") == 0)
    left = [kind for kind in ("Deployment", "Service", "HTTPRoute", "ServiceAccount") if two.stores["east"].list(kind).items]
    assert left == []
    assert two.records("west") == 1


def test_a_deployment_may_move_to_a_target_that_another_process_leads(two: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    with ExitStack() as opened:
        controllers = {}
        for led in ("east", "west"):
            targets = {name: replace(target, leads=partial(str.__eq__, led, name)) for name, target in two.targets.items()}
            process = replace(two, directory=tmp_path / led, targets=targets)
            source = opened.enter_context(declared.source(led))
            controllers[led] = opened.enter_context(process.controlled([Granted(source)]))
        assert eventually(serves(controllers["east"], declared.unit, "east"))
        declared.move_to("west")
        assert eventually(serves(controllers["west"], declared.unit, "west"))
        assert eventually(lambda: two.records("east") == 0)
        assert controllers["east"].result(declared.unit, "west") is None
    assert two.records("west") == 1


def test_moving_away_from_a_lost_target_waits_for_nothing(two: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    with declared.source() as source, two.controlled([Granted(source)]) as controller:
        assert eventually(serves(controller, declared.unit, "east"))
    declared.move_to("west")
    two.stores["east"].lost.set()
    with declared.source() as source, two.controlled([Granted(source)]) as controller:
        assert eventually(lambda: bool((r := controller.result(declared.unit, "west")) and r.plan.is_settled))
        two.stores["east"].lost.clear()
        assert eventually(lambda: two.records("east") == 0)


def test_a_target_that_left_the_configuration_is_left_alone_and_its_deployments_are_held(two: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    with declared.source() as source, two.controlled([Granted(source)]) as controller:
        assert eventually(serves(controller, declared.unit, "east"))
    two.stores["east"].forget()
    with declared.source() as source, two.controlled([Granted(source)], ["west"]) as controller:
        assert eventually(lambda: controller.publications() and controller.result(declared.unit) is not None)
        result = controller.result(declared.unit)
        assert result
        assert [hold.reason for hold in result.plan.holds] == ["PM604"]
        declared.move_to("west")
        assert eventually(serves(controller, declared.unit, "west"))
    assert (two.stores["east"].written, two.stores["east"].deleted) == ([], [])


def test_a_target_may_join_later(two: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "west")
    with declared.source() as source, two.controlled([Granted(source)], ["east"]) as controller:
        assert eventually(controller.publications)
        assert [d.code for p in controller.publications() for d in p.declared.diagnostics] == ["PM604"]
    with declared.source() as source:
        controller = Controller(
            [two.targets["east"]], [Granted(source)], FileHistory(tmp_path / "history"), configured=("west",), interval=0.05
        )
        try:
            controller.start()
            assert eventually(controller.publications)
            assert controller.target_errors() == ("target west: it is not connected yet",)
            controller.add_target(two.targets["west"])
            assert eventually(serves(controller, declared.unit, "west"))
        finally:
            controller.stop()
