"""A deployment that git declares is waited for before any controller has written a record of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from controller.cli.chosen import Chosen
from controller.cli.cluster_view import look_at_clusters
from controller.cli.cluster_waiting import wait_on_clusters
from controller.cli.here import Here
from controller.cli.reach.limits import Limited
from controller.cli.reach.opening import Reached
from controller.cli.waiting import Verdict
from controller.embedded.store import EmbeddedStore
from controller.model.conditions import Condition
from controller.model.errors import Stalled
from controller.model.identity import UnitKey
from controller.model.record import UnitRecord
from controller.state.record_format import to_config_map
from tests.system.repository import DEPLOYMENT, OWNER, PROJECT, Repository, alias_file, deployment_file

pytestmark = pytest.mark.system
Wait = Callable[..., Verdict]
READY = Condition("Ready", "True", "Serving", "everything declared serves", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository.create(tmp_path / "echo")
    made.configure()
    made.release("v1")
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def wait(store: EmbeddedStore, repository: Repository) -> Iterator[Wait]:
    """One look at the target, for what a person names."""
    target = Reached("us-east", Limited(store, None, None), project=(OWNER, PROJECT))
    with closing(Here()) as here:
        yield lambda name, revision="HEAD": wait_on_clusters(
            lambda: look_at_clusters([target], here), ["us-east"], Chosen.parse(name), revision, timeout=0
        )


def recorded(store: EmbeddedStore, repository: Repository) -> None:
    at = f"main@sha1:{repository.git('rev-parse', 'HEAD')}"
    store.apply(to_config_map(UnitRecord(UnitKey(OWNER, PROJECT, DEPLOYMENT), attempted=at, applied=at, conditions=(READY,))))


@pytest.mark.parametrize("name", [DEPLOYMENT, f"{DEPLOYMENT}/production"])
def test_what_git_declares_is_waited_for(wait: Wait, name: str) -> None:
    ended = wait(name)
    assert not ended.serves
    assert ended.reason == "timed out after 0 s: no controller has looked at it yet on us-east"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lcoal", "there is no deployment `lcoal` here"),
        ("lcoal/production", "there is no deployment `lcoal` here"),
        (f"{DEPLOYMENT}/produktion", f"deployment `{DEPLOYMENT}` has no alias `produktion`"),
    ],
)
def test_what_git_does_not_declare_is_an_error_at_once(wait: Wait, name: str, words: str) -> None:
    with pytest.raises(Stalled, match=words):
        wait(name)


def test_a_record_ends_the_waiting_for_its_deployment_but_not_for_an_alias_without_routes(
    wait: Wait, store: EmbeddedStore, repository: Repository
) -> None:
    recorded(store, repository)
    assert wait(DEPLOYMENT).serves
    assert not wait(f"{DEPLOYMENT}/production").serves
    with pytest.raises(Stalled, match=f"deployment `{DEPLOYMENT}` has no alias `canary`"):
        wait(f"{DEPLOYMENT}/canary")


def test_an_alias_that_only_an_earlier_commit_has_does_not_serve(
    wait: Wait, store: EmbeddedStore, repository: Repository
) -> None:
    repository.commit({alias_file("canary"): {"version": "v1"}})
    repository.commit({alias_file("canary"): None})
    recorded(store, repository)
    assert not wait(f"{DEPLOYMENT}/canary", revision="HEAD~1").serves


def test_an_alias_that_is_not_committed_is_not_waited_for(wait: Wait, store: EmbeddedStore, repository: Repository) -> None:
    recorded(store, repository)
    repository.write(alias_file("canary"), {"version": "v1"})
    repository.write(deployment_file("elsewhere"), {})
    for name in (f"{DEPLOYMENT}/canary", "elsewhere"):
        with pytest.raises(Stalled):
            wait(name)


def test_a_new_alias_of_a_mistaken_file_is_waited_for(wait: Wait, store: EmbeddedStore, repository: Repository) -> None:
    """Whoever mends the file has what they wait for; a mistake is told by `pointsman validate`."""
    repository.commit({alias_file("canary"): "version: [v1]\n"})
    recorded(store, repository)
    assert not wait(f"{DEPLOYMENT}/canary").serves
