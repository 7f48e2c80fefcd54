"""What still follows in a plan after one of its writes was refused, or the lead was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.embedded.store import EmbeddedStore
from controller.engine.apply import Writer, apply_changes
from controller.engine.cache import TargetCache
from controller.engine.corrections import Corrections
from controller.engine.steps import unobserved
from controller.engine.targets import Target
from controller.model import labels
from controller.model.changes import Change, Operation, Plan
from controller.model.errors import Forbidden, Waiting
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import API_VERSIONS, Object
from tests.engine.replicas import BuiltImages
from tests.engine.settling import PROFILE

pytestmark = pytest.mark.contract

UNIT = UnitKey("acme", "mnist", "local")


class Refusing(EmbeddedStore):
    """A target where the role lacks the right to write one kind."""

    refused = "Middleware"

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        if obj["kind"] == self.refused:
            raise Forbidden("may not patch middlewares", hint="the role needs the rule ...")
        return super().apply(obj, manager=manager, dry_run=dry_run)


def change(operation: Operation, kind: str, name: str, alias: str | None = None) -> Change:
    said = {labels.UNIT_NAME: str(UNIT), **({labels.ALIAS: alias} if alias else {})}
    meta = {"name": name, "namespace": UNIT.namespace, "labels": {labels.UNIT: UNIT.hash}, "annotations": said}
    desired: dict[str, Any] = {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": meta}
    return Change(operation, ObjectKey(kind, UNIT.namespace, name), "a test", desired)


def plan_of(*changes: Change) -> Plan:
    return Plan(UNIT, "main@sha1:" + "0" * 40, 0.0, changes)


def writer_to(target: Target) -> Writer:
    return Writer(target, TargetCache(target.client, lambda _: None), Corrections(), unobserved)


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.UPDATE])
def test_no_route_is_written_that_names_what_could_not_be_made(tmp_path: Path, operation: Operation) -> None:
    changes = (
        change(operation, "Middleware", "users"),
        change(Operation.CREATE, "ServiceAccount", "endpoints"),
        change(Operation.UPDATE, "HTTPRoute", "of-a-version"),
        change(Operation.UPDATE, "HTTPRoute", "of-an-alias", alias="production"),
    )
    with Refusing(tmp_path) as store:
        result = apply_changes(plan_of(*changes), writer_to(Target(PROFILE, store, BuiltImages(), tuple)))
    assert [failed.change.key.name for failed in result.failed] == ["users"]
    routes = [] if operation is Operation.CREATE else ["of-a-version", "of-an-alias"]
    assert [done.key.name for done in result.done] == ["endpoints", *routes]


def test_a_process_that_lost_the_lead_writes_nothing_more(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        first, second = (change(Operation.CREATE, "ServiceAccount", name) for name in ("first", "second"))
        target = Target(PROFILE, store, BuiltImages(), tuple, leads=lambda: store.get(first.key) is None)
        with pytest.raises(Waiting, match="does not lead target embedded any more"):
            apply_changes(plan_of(first, second), writer_to(target))
        assert store.get(first.key)
        assert store.get(second.key) is None
