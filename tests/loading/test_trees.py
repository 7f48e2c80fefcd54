"""Malformed and valid trees: every message names file, line and what to do, and holds no more than it must."""

from __future__ import annotations

import pytest
from declared_trees import FOLDER, cases, files_of, report, snapshot, snapshot_of

from controller.loading.loader import load
from controller.model.diagnostics import Severity

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("case", cases())
def test_what_a_user_reads(case: str) -> None:
    assert report(load(snapshot_of(case))) == (FOLDER / case / "expected.txt").read_text("utf-8")


def test_there_are_many_malformed_trees() -> None:
    assert len([case for case in cases() if not case.startswith("valid-")]) >= 60


@pytest.mark.parametrize("case", cases())
def test_every_diagnostic_says_where_and_what_to_do(case: str) -> None:
    files = files_of(case)
    for diagnostic in load(snapshot_of(case)).diagnostics:
        place = diagnostic.location
        missing = diagnostic.code in ("PM210", "PM407")
        assert missing or place.file in files or f"code/{place.file}" in files
        assert diagnostic.hint, diagnostic


@pytest.mark.parametrize("case", cases())
def test_valid_trees_have_no_errors_and_the_others_say_something(case: str) -> None:
    diagnostics = load(snapshot_of(case)).diagnostics
    if case.startswith("valid-"):
        assert diagnostics == ()
    else:
        assert diagnostics


@pytest.mark.parametrize("case", cases())
def test_the_order_of_files_is_irrelevant_and_inputs_stay_unchanged(case: str) -> None:
    files = files_of(case)
    backwards = dict(reversed(files.items()))
    given = snapshot(backwards)
    copy = (dict(given.files), dict(given.versions))
    assert load(given) == load(snapshot(files))
    assert (dict(given.files), dict(given.versions)) == copy


def test_what_is_held_is_absent_and_nothing_else() -> None:
    state = load(snapshot_of("alias-of-broken-version"))
    assert {str(subject) for subject in state.held} == {"alias americas/production", "version 20181002.0"}
    assert not state.versions
    assert not state.deployments["americas"].aliases


def test_an_edited_version_is_held_and_goes_on_as_it_was() -> None:
    state = load(snapshot_of("edited-version"))
    assert {str(subject) for subject in state.held} == {"version 20181002.0"}
    served = state.deployments["americas"].versions["20181002.0"]
    assert "LOG_LEVEL" not in served.settings["greet-me"].environment
    assert set(served.version.endpoints) == {"greet-me", "predict-digit"}


def test_a_text_larger_than_the_limit_is_not_even_parsed() -> None:
    files = {**files_of("valid-base"), "pointsman/deployments/americas/deployment.yaml": b"#" * (1024 * 1024 + 1)}
    assert [d.code for d in load(snapshot(files)).diagnostics] == ["PM103"]


def test_warnings_hold_nothing() -> None:
    state = load(snapshot_of("ambiguous-name"))
    assert [d.severity for d in state.diagnostics] == [Severity.WARNING]
    assert not state.held
