"""What was written for another class of gateway is not watched any more, and all the same not forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.declared_repository import Shape
from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import API_VERSIONS
from controller.model.record import UnitRecord
from controller.state.records import Records
from tests.engine.settling import settling

pytestmark = pytest.mark.system


def test_it_is_looked_at_by_name_and_removed(tmp_path: Path) -> None:
    with settling(tmp_path, Shape(1, 1)) as made:
        made.settle()
        [unit] = made.units
        key = ObjectKey("Middleware", unit.namespace, "users-former")
        metadata = {
            "namespace": key.namespace,
            "name": key.name,
            "labels": {labels.MANAGED_BY: "pointsman", labels.UNIT: unit.hash},
            "annotations": {labels.UNIT_NAME: str(unit)},
        }
        made.store.apply({"apiVersion": API_VERSIONS[key.kind], "kind": key.kind, "metadata": metadata, "spec": {}})

        def remembering(record: UnitRecord) -> UnitRecord:
            return replace(record, inventory=record.inventory | {key})

        records = Records(made.store, made.sight.cache.note)
        records.change(unit, remembering)
        made.run(unit)
        made.settle()
        assert made.store.get(key) is None
        assert key not in records.read(unit).inventory
