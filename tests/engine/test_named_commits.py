"""Which commits a unit's record names although they change nothing on the target: those that somebody may wait for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.declared_repository import DEPLOYMENT, PROJECT, Shape, deployment_name
from controller.engine.concerning import concerned
from controller.model.errors import Stalled
from controller.model.identity import UnitKey
from controller.model.objects import Object
from controller.model.record import UnitRecord
from controller.state.records import Records
from tests.engine.commits import commit_files
from tests.engine.settling import Settling, settling

pytestmark = pytest.mark.system

ONE = UnitKey("bench", "mark", deployment_name(1))
DEPLOYMENT_FILE = f"pointsman/deployments/{ONE.deployment}/deployment.yaml"


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settling]:
    """Three units that are served. Each test leaves them so."""
    with settling(tmp_path_factory.mktemp("named"), Shape(deployments=3, each=1)) as made:
        made.settle()
        yield made


def passed_over(settled: Settling, files: dict[str, str]) -> tuple[str, list[str]]:
    """Commit the files and pass over every unit: the commit, and the kinds of what was written to the target."""
    commit = commit_files(settled.repository, files)
    settled.read()
    settled.store.forget()
    for unit in settled.units * 2:
        assert settled.run(unit).plan.is_settled
    return commit, [obj["kind"] for obj in settled.store.written]


def record(settled: Settling, unit: UnitKey) -> UnitRecord:
    return Records(settled.store).read(unit)


def test_a_comment_in_a_units_file_moves_its_record_once_and_nothing_else(settled: Settling) -> None:
    before = {unit: record(settled, unit) for unit in settled.units}
    commit, written = passed_over(settled, {DEPLOYMENT_FILE: f"# why two replicas\n{DEPLOYMENT}"})
    now = record(settled, ONE)
    assert (now.applied, now.attempted) == (f"main@sha1:{commit}", f"main@sha1:{commit}")
    assert written == ["ConfigMap"]
    assert {unit for unit in settled.units if record(settled, unit) != before[unit]} == {ONE}


def test_a_comment_for_the_whole_project_moves_every_record_once(settled: Settling) -> None:
    commit, written = passed_over(settled, {"pointsman/project.yaml": f"# ours\n{PROJECT}"})
    assert {record(settled, unit).applied for unit in settled.units} == {f"main@sha1:{commit}"}
    assert written == ["ConfigMap"] * len(settled.units)


def test_the_record_catches_up_after_commits_that_were_not_looked_at_one_by_one(settled: Settling) -> None:
    commit_files(settled.repository, {DEPLOYMENT_FILE: f"# two\n{DEPLOYMENT}"})
    commit, written = passed_over(settled, {"serve.py": "print('elsewhere')\n"})
    assert record(settled, ONE).applied == f"main@sha1:{commit}"
    assert written == ["ConfigMap"]


def timed_out_after(seconds: int) -> dict[str, str]:
    return {DEPLOYMENT_FILE: DEPLOYMENT.replace("scale:", f"timeout: {seconds}s, scale:")}


def test_updates_go_first_and_the_record_names_their_commit_once_when_they_are_done(settled: Settling) -> None:
    commit = commit_files(settled.repository, timed_out_after(30))
    settled.read()
    settled.store.forget()
    settled.settle()
    kinds = [obj["kind"] for obj in settled.store.written]
    assert (kinds[-1], kinds.count("ConfigMap"), "HTTPRoute" in kinds) == ("ConfigMap", 1, True)
    now = record(settled, ONE)
    assert (now.applied, now.attempted) == (f"main@sha1:{commit}", f"main@sha1:{commit}")


def test_each_commit_whose_update_is_refused_is_named_with_the_refusal(
    settled: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = settled.store.apply

    def refuse(obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        if obj["kind"] == "HTTPRoute":
            raise Stalled("no longer than 20 s here")
        return apply(obj, manager=manager, dry_run=dry_run)

    before = record(settled, ONE).applied
    monkeypatch.setattr(settled.store, "apply", refuse)
    for seconds in (40, 50):
        commit = commit_files(settled.repository, timed_out_after(seconds))
        settled.read()
        for _ in range(2):
            assert settled.run(ONE).applied.failed
        now = record(settled, ONE)
        assert (now.applied, now.attempted) == (before, f"main@sha1:{commit}")
        assert any(c.type == "Stalled" and "no longer than 20 s here" in c.message for c in now.conditions)
    monkeypatch.undo()
    settled.settle()
    assert record(settled, ONE).applied == f"main@sha1:{commit}"


@pytest.mark.parametrize("path", ["serve.py", "pointsman/README.md", f"pointsman/deployments/{ONE.deployment}/README.md"])
def test_a_commit_that_declares_nothing_costs_no_request(settled: Settling, path: str) -> None:
    _, written = passed_over(settled, {path: "# other words\n"})
    assert written == []


@pytest.mark.parametrize(
    ("path", "whom"),
    [
        ("project.yaml", None),
        ("deployments/eu/deployment.yaml", {"eu"}),
        ("deployments/eu/aliases/production.yaml", {"eu"}),
        ("versions/1.yaml", None),
        ("versions/2.yaml", {"us"}),
        ("deployments/eu/README.md", set()),
        ("README.md", set()),
    ],
)
def test_whom_a_path_concerns(path: str, whom: set[str] | None) -> None:
    assert concerned(path, lambda version: frozenset({"us"}) if version == "2" else None) == whom
