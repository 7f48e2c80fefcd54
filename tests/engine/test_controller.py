"""A controller goes on: one broken record, one fault in reading a source and one deaf target delay nobody for long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.declared_repository import Shape
from controller.engine.controller import Controller
from controller.engine.corrections import MOST
from controller.engine.grants import Granted
from controller.model import labels
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import key_of
from controller.model.ports import HistoryStore
from controller.model.source import Snapshot
from controller.state.history import FileHistory
from tests.embedded.gateway.servers import eventually
from tests.engine.settling import Settling, settling

pytestmark = pytest.mark.system


@contextmanager
def controlled(directory: Path, shape: Shape, history: HistoryStore | None = None) -> Iterator[tuple[Settling, Controller]]:
    """A controller over a repository and a target; not started yet, stopped at the end."""
    with settling(directory, shape) as made:
        followed = history or FileHistory(directory / "history")
        controller = Controller([made.target], [Granted(made.source)], followed, interval=0.05)
        try:
            yield made, controller
        finally:
            controller.stop()


def settled(controller: Controller, count: int) -> Callable[[], bool]:
    def answer() -> bool:
        results = [controller.result(unit) for unit in controller.units()]
        return len(results) >= count and all(result and result.plan.is_settled for result in results)

    return answer


def test_a_record_that_cannot_be_read_holds_up_no_other_unit(tmp_path: Path) -> None:
    other = UnitKey("bench", "other", "broken")
    said = {labels.MANAGED_BY: "pointsman", labels.UNIT: other.hash, labels.RECORD: "unit"}
    meta = {"name": other.record_name, "namespace": other.namespace, "labels": said}
    broken = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"record.json": "{"}}
    with controlled(tmp_path, Shape(2, 1)) as (made, controller):
        made.store.apply(broken)
        controller.start()
        assert eventually(settled(controller, 2))


def test_a_fault_while_a_source_is_read_ends_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with controlled(tmp_path, Shape(1, 1)) as (made, controller):
        read, faults = made.source.snapshot, [ValueError("a fault of ours")]

        def snapshot() -> Snapshot:
            if faults:
                raise faults.pop()
            return read()

        monkeypatch.setattr(made.source, "snapshot", snapshot)
        controller.start()
        assert eventually(settled(controller, 1))


def test_an_object_of_somebody_else_under_one_of_our_names_is_told_and_never_overwritten(tmp_path: Path) -> None:
    with controlled(tmp_path, Shape(1, 1)) as (made, controller):
        [unit] = made.units
        account = ObjectKey("ServiceAccount", unit.namespace, f"pointsman-{unit.deployment}-{unit.hash}")
        meta = {"name": account.name, "namespace": account.namespace, "labels": {"app": "theirs"}}
        theirs = made.store.apply({"apiVersion": "v1", "kind": account.kind, "metadata": meta}, manager="theirs")
        controller.start()
        assert eventually(lambda: (found := controller.result(unit)) and found.plan.failures)
        result = controller.result(unit)
        assert result
        assert [failure.reason for failure in result.plan.failures] == ["ForeignObject"]
        assert made.store.get(account) == theirs


def test_a_history_that_cannot_be_written_ends_no_pass(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file where a directory is to be")
    with settling(tmp_path, Shape(1, 1)) as made:
        assert made.run(made.units[0]).applied.done


def test_a_fight_over_an_object_is_given_up_and_its_other_writer_named(tmp_path: Path) -> None:
    with controlled(tmp_path, Shape(1, 1)) as (made, controller):
        controller.start()
        assert eventually(settled(controller, 1))
        [unit] = made.units
        [service] = made.store.list("Service", labels={labels.UNIT: unit.hash}).items
        name = {"name": service["metadata"]["name"], "namespace": unit.namespace}
        theirs = {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": {"type": "LoadBalancer"}}

        def given_up() -> bool:
            made.store.apply(theirs, manager="their-operator")
            error = (result := controller.result(unit)) and result.error
            return bool(error and "their-operator" in error.message)

        made.store.forget()
        assert eventually(given_up)
        assert len([obj for obj in made.store.written if obj["kind"] == "Service"]) == MOST


def test_somebody_who_deletes_an_object_again_and_again_is_fought_no_longer(tmp_path: Path) -> None:
    with controlled(tmp_path, Shape(1, 1)) as (made, controller):
        controller.start()
        assert eventually(settled(controller, 1))
        [unit] = made.units
        [service] = made.store.list("Service", labels={labels.UNIT: unit.hash}).items
        made.store.forget()

        def given_up() -> bool:
            made.store.delete(key_of(service))
            error = (result := controller.result(unit)) and result.error
            return bool(error and "deleted again by somebody" in error.message)

        assert eventually(given_up)
        assert len([obj for obj in made.store.written if obj["kind"] == "Service"]) == MOST
