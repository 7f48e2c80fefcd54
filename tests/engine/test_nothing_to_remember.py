"""A unit of which nothing is on the target leaves no record there: one that only a mistake names, and one that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.declared_repository import Shape
from controller.engine.observe import cached_records
from controller.engine.planning import units_of
from controller.model.diagnostics import Diagnostic, Location, Severity, Subject
from controller.model.identity import UnitKey
from controller.state.records import Records
from tests.engine.settling import Settling, settling

pytestmark = pytest.mark.system


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Settling]:
    with settling(tmp_path, Shape(deployments=1, each=1)) as made:
        yield made


def test_a_unit_that_nobody_declares_is_not_written_and_deleted_over_and_over(opened: Settling) -> None:
    gone = UnitKey("bench", "mark", "gone")
    for _ in range(2):
        result = opened.run(gone)
        assert result.plan.is_settled
    assert (opened.store.written, opened.store.deleted) == ([], [])


def test_a_deployment_that_was_wrong_from_the_beginning_is_held_without_a_record(opened: Settling) -> None:
    subject = Subject("deployment", "new")
    mistake = Diagnostic("PM203", Severity.ERROR, "replicas is no number", Location("deployment.yaml"), subject)
    declared = replace(opened.publication.declared, deployments={}, held={subject: (mistake,)})
    opened.publication = replace(opened.publication, declared=declared)
    [unit] = units_of(opened.publication, cached_records(opened.sight.cache))
    assert unit == UnitKey("bench", "mark", "new")
    assert opened.run(unit).plan.holds
    assert Records(opened.store).all() == ()
