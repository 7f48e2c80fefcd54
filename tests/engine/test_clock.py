"""A machine's clock that is set back makes a unit wait at most: it never asks or writes in a circle."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.declared_repository import Shape, deployment_name, move_alias, version_name
from controller.model import labels
from controller.model.objects import annotation
from tests.embedded.gateway.servers import eventually
from tests.engine.settling import settling

pytestmark = pytest.mark.system

HOUR = 3600.0


def test_a_switch_ends_although_the_clock_was_set_back_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with settling(tmp_path, Shape(deployments=1, each=2)) as made:
        made.settle()
        name = deployment_name(0)
        move_alias(made.repository, name, version_name(name, 0))
        made.read()
        made.store.forget()
        [unit] = made.units
        assert eventually(lambda: made.run(unit) and any(annotation(obj, labels.ALIAS) for obj in made.store.written))
        clock = time.time
        monkeypatch.setattr(time, "time", lambda: clock() - HOUR)
        assert eventually(lambda: made.run(unit).plan.is_settled)
