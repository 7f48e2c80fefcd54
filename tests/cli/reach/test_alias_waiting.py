"""One alias is waited for by itself, whatever else its unit holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.cli.arrival import Arrival
from controller.cli.cluster_waiting import judge, judge_alias
from controller.cli.concerns import Concerns
from controller.cli.status_document import Overview
from controller.cli.tree import read_tree
from controller.cli.unit_status import AliasStatus, UnitStatus
from controller.cli.version_status import VersionStatus
from controller.cli.workload_status import EndpointStatus
from controller.model.conditions import Assessment, Condition, Health
from controller.model.identity import UnitKey
from tests.system.repository import DEPLOYMENT, OWNER, PROJECT, Repository, deployment_file

pytestmark = pytest.mark.system
BUSY = Condition("Ready", "Unknown", "Reconciling", "v2 waits: say 0 of 1 ready: exited with code 1 6 times", 0.0)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "echo")
    made.configure()
    made.release("v1")
    return made


def head(repository: Repository) -> str:
    return repository.git("rev-parse", "HEAD")


def alias(*since: str, wants: str = "v1", stopped: str | None = None, pinned: str | None = None) -> AliasStatus:
    """production, which leads to v1 as was known at these commits."""
    known = (tuple(f"main@sha1:{commit}" for commit in since),) if since else ()
    return AliasStatus("production", "v1", wants, pinned, "serving", None, arrival=Arrival(known, stopped))


def unit(attempted: str, *aliases: AliasStatus, versions: tuple[VersionStatus, ...] = ()) -> UnitStatus:
    key, at = UnitKey(OWNER, PROJECT, DEPLOYMENT), f"main@sha1:{attempted}"
    return UnitStatus(key, Assessment(Health.HEALTHY), at, "", None, (BUSY,), aliases, versions)


def overview(repository: Repository, *units: UnitStatus) -> Overview:
    return Overview("here", f"main@sha1:{head(repository)}", None, "", (), (), units, targets=("us-east",))


def serves(repository: Repository, status: UnitStatus, commit: str | None = None) -> bool | None:
    at = Concerns(read_tree(repository.root), commit or head(repository))
    found = judge_alias(overview(repository, status), at)
    return found.serves if found else None


def broken(name: str, *, restarts: int, health: Health = Health.DEGRADED) -> VersionStatus:
    endpoint = EndpointStatus("say", name, "say-w", 0, 1, health, "say: exited with code 1", None, restarts)
    state = "failed" if health is Health.DEGRADED else "waiting"
    return VersionStatus(name, None, False, True, state, None, (), (), (endpoint,))


def test_a_rollback_serves_while_the_broken_version_lies_idle(repository: Repository) -> None:
    before = head(repository)
    repository.release("v2")
    back = repository.move("v1")
    assert serves(repository, unit(back, alias(before))) is True


def test_a_release_that_its_alias_has_not_reached_is_waited_for(repository: Repository) -> None:
    before = head(repository)
    commit = repository.release("v2")
    assert serves(repository, unit(before, alias(before, wants="v2"))) is None
    assert serves(repository, unit(commit, alias(before, wants="v2"))) is None
    assert serves(repository, unit(commit, alias(before, wants="v2", stopped="production → v2 was given up"))) is False


@pytest.mark.parametrize(
    ("condition", "step"),
    [
        (Condition("Ready", "Unknown", "Suspended", "load test", 0.0), f"pointsman resume {DEPLOYMENT}"),
        (Condition("Stalled", "True", "GivenUp", "load test", 0.0), "a new commit, or: pointsman reconcile"),
    ],
)
def test_the_next_step_fits_what_stops_an_alias(repository: Repository, condition: Condition, step: str) -> None:
    before = head(repository)
    stopped = alias(before, wants="v2", stopped="load test")
    status = replace(unit(repository.release("v2"), stopped), conditions=(condition,))
    found = judge_alias(overview(repository, status), Concerns(read_tree(repository.root), head(repository)))
    assert found is not None
    assert (found.reason, found.hint) == (f"{DEPLOYMENT}: load test", step)


def test_settings_serve_once_the_data_plane_or_the_workload_says_so(repository: Repository) -> None:
    before = head(repository)
    declared = (repository.root / deployment_file()).read_text()
    commit = repository.commit({deployment_file(): f"# other settings\n{declared}"})
    assert serves(repository, unit(commit, alias(before))) is None
    assert serves(repository, unit(commit, alias(before, commit))) is True


def test_what_concerns_another_alias_or_version_alone_does_not_matter(repository: Repository) -> None:
    before = head(repository)
    commit = repository.release("v2", "staging")
    assert serves(repository, unit(commit, alias(before))) is True
    assert serves(repository, unit(before, alias(before))) is None, "its controller has not looked yet"


def test_an_earlier_commit_is_served_by_what_a_later_one_made_of_the_alias(repository: Repository) -> None:
    before = head(repository)
    between = repository.release("v2")
    back = repository.move("v1")
    assert serves(repository, unit(back, alias(before)), between) is True


def test_a_pin_counts_and_its_end_is_waited_for(repository: Repository) -> None:
    at = head(repository)
    assert serves(repository, unit(at, alias(at, wants="v0", pinned="v1"))) is True
    assert serves(repository, unit(at, alias(at, wants="v0"))) is None
    assert serves(repository, unit(at, alias(at, pinned="v0"))) is None


def test_an_unread_target_is_waited_for(repository: Repository) -> None:
    at = head(repository)
    seen = overview(repository, unit(at, alias(at)))
    assert judge_alias(replace(seen, errors=("target eu: no answer",)), Concerns(read_tree(repository.root), at)) is None


@pytest.mark.parametrize(
    ("idle", "ends"),
    [
        (broken("v2", restarts=6), True),
        (broken("v2", restarts=1), False),
        (broken("v2", restarts=0, health=Health.PROGRESSING), False),
    ],
)
def test_a_whole_unit_ends_when_only_an_idle_version_that_keeps_crashing_is_left(
    repository: Repository, idle: VersionStatus, ends: bool
) -> None:
    at = head(repository)
    found = judge(overview(repository, unit(at, alias(at), versions=(idle,))), Concerns(read_tree(repository.root), at))
    assert (found is not None) is ends
    if found:
        assert not found.serves
        assert "every alias serves, but the idle v2 does not run (say: exited with code 1)" in found.reason
