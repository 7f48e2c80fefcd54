"""When a commit serves, as records and git tell it together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.cli.cluster_waiting import judge
from controller.cli.concerns import Concerns, concerning
from controller.cli.status_document import Overview
from controller.cli.tree import read_tree
from controller.cli.unit_status import UnitStatus
from controller.model.conditions import Assessment, Condition, Health
from controller.model.identity import UnitKey
from tests.system.repository import DEPLOYMENT, OWNER, PROJECT, Repository, deployment_file, version_file

pytestmark = pytest.mark.system

READY = Condition("Ready", "True", "Applied", "everything declared is as declared", 0.0)
BUSY = Condition("Ready", "Unknown", "Reconciling", "say 0 of 1 ready", 0.0)
STALLED = Condition("Stalled", "True", "GivenUp", "say: exit code 1", 0.0)
SUSPENDED = Condition("Ready", "Unknown", "Suspended", "suspended: load test", 0.0)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "echo")
    made.configure()
    made.release("v1")
    return made


def status(*conditions: Condition, attempted: str, applied: str | None = None) -> UnitStatus:
    at = [f"main@sha1:{commit}" if commit else "" for commit in (attempted, attempted if applied is None else applied)]
    return UnitStatus(UnitKey(OWNER, PROJECT, DEPLOYMENT), Assessment(Health.HEALTHY), at[0], at[1], None, conditions)


def overview(*units: UnitStatus) -> Overview:
    return Overview("here", None, None, "", (), (), units, targets=("us-east",))


def concerns(repository: Repository, commit: str) -> Concerns:
    return Concerns(read_tree(repository.root), commit)


@pytest.mark.parametrize(
    ("conditions", "applied", "serves"),
    [
        ((READY,), None, True),
        ((BUSY,), None, None),
        ((BUSY,), "", None),
        ((READY,), "", None),
        ((BUSY, STALLED), "", False),
        ((SUSPENDED,), "", False),
    ],
)
def test_a_unit_that_looked_at_the_commit(
    repository: Repository, conditions: tuple[Condition, ...], applied: str | None, serves: bool | None
) -> None:
    commit = repository.git("rev-parse", "HEAD")
    found = judge(overview(status(*conditions, attempted=commit, applied=applied)), concerns(repository, commit))
    assert (found.serves if found else None) is serves


@pytest.mark.parametrize(
    ("condition", "step"), [(SUSPENDED, f"pointsman resume {DEPLOYMENT}"), (STALLED, "pointsman reconcile")]
)
def test_the_next_step_fits_what_stops_it(repository: Repository, condition: Condition, step: str) -> None:
    commit = repository.git("rev-parse", "HEAD")
    found = judge(overview(status(condition, attempted=commit)), concerns(repository, commit))
    assert found is not None
    assert step in (found.hint or "")


def test_what_was_given_up_before_the_commit_says_nothing_of_it(repository: Repository) -> None:
    before = repository.git("rev-parse", "HEAD")
    commit = repository.release("v2")
    assert judge(overview(status(BUSY, STALLED, attempted=before)), concerns(repository, commit)) is None
    assert judge(overview(status(READY, attempted=before)), concerns(repository, commit)) is None


def test_a_later_revision_serves_what_it_holds(repository: Repository) -> None:
    before = repository.git("rev-parse", "HEAD")
    commit = repository.release("v2")
    found = judge(overview(status(READY, attempted=commit)), concerns(repository, before))
    assert found is not None
    assert found.serves


def others_deployment(repository: Repository) -> None:
    theirs = {deployment_file("elsewhere"): {}, version_file("v2"): {"deployments": ["elsewhere"]}}
    repository.release("v2", deployment="elsewhere", **theirs)


def code(repository: Repository) -> None:
    repository.commit({"serve.py": "print('new code, and no version of it')"})


def notes(repository: Repository) -> None:
    repository.commit({"pointsman/deployments/local/README.md": "who to call"})


@pytest.mark.parametrize("edit", [others_deployment, code, notes])
def test_a_commit_that_does_not_concern_a_deployment_is_served_by_it(
    repository: Repository, edit: Callable[[Repository], None]
) -> None:
    before = repository.git("rev-parse", "HEAD")
    edit(repository)
    commit = repository.git("rev-parse", "HEAD")
    found = judge(overview(status(READY, attempted=before)), concerns(repository, commit))
    assert found is not None
    assert found.serves


def test_a_declared_deployment_without_a_record_and_an_unread_target_are_waited_for(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    seen, here = overview(status(READY, attempted=commit)), concerns(repository, commit)
    assert judge(seen, here, frozenset({DEPLOYMENT, "new"})) is None
    assert judge(replace(seen, errors=("target us-east: no answer",)), here) is None
    assert judge(overview(), here) is None


def test_a_revision_that_git_here_does_not_know_is_waited_for(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    assert judge(overview(status(READY, attempted="f" * 40)), concerns(repository, commit)) is None


def test_without_git_the_conditions_alone_decide() -> None:
    found = judge(overview(status(READY, attempted="")), None)
    assert found is not None
    assert found.serves


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("app/pointsman/project.yaml", True),
        ("app/pointsman/versions/v1.yaml", True),
        ("app/pointsman/versions/theirs.yaml", False),
        ("app/pointsman/deployments/local/aliases/production.yaml", True),
        ("app/pointsman/deployments/local2/deployment.yaml", False),
        ("app/pointsman/versions/notes.md", False),
    ],
)
def test_which_files_concern_a_deployment(path: str, matters: bool) -> None:
    found = concerning([path], "app/pointsman", "local", lambda version: frozenset({"europe"}) if version == "theirs" else None)
    assert bool(found) is matters
