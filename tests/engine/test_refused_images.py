"""A version whose image is refused leaves its alias where it was, says why, and goes on when git allows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.declared_repository import PROJECT, Shape
from controller.model.objects import at
from controller.state.records import Records
from tests.engine.commits import commit_files
from tests.engine.settling import Settling, settling
from tests.engine.test_bases import UNIT, building, passed_until
from tests.images.base_images import push_base
from tests.images.drawn_secrets import SECRETS
from tests.images.registry_server import Registry, running_registry

pytestmark = pytest.mark.contract

TOKEN = SECRETS["github ghp_"][1]()
ALIAS = f"pointsman/deployments/{UNIT.deployment}/aliases/production.yaml"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        push_base(running.url)
        yield running


@pytest.fixture
def served(registry: Registry, tmp_path: Path) -> Iterator[Settling]:
    with building(registry, tmp_path / "cache") as changed, settling(tmp_path / "unit", Shape(1, 1), changed) as made:
        made.settle()
        yield made


def leads_to(made: Settling) -> list[str]:
    """The backends of the alias's routes."""
    routes = made.store.list("HTTPRoute").items
    return sorted(
        str(at(obj, "spec", "rules", 0, "backendRefs", 0, "name")) for obj in routes if "production" in str(obj["spec"])
    )


def test_a_secret_keeps_the_alias_where_it_was_until_git_allows_it(served: Settling, registry: Registry) -> None:
    before, tags = leads_to(served), registry.tags("pointsman/bench/mark")
    leaky = {"settings.py": f"\nTOKEN = '{TOKEN}'\n", "pointsman/versions/leaky.yaml": "{}\n", ALIAS: 'version: "leaky"\n'}
    commit_files(served.repository, leaky)
    served.read()
    plan = passed_until(served, lambda plan: bool(plan.failures))
    assert "settings.py:2 holds a GitHub token" in plan.failures[0].message
    assert "allowSecrets: [settings.py]" in plan.failures[0].message
    passed_until(served, lambda plan: plan.is_empty)
    assert leads_to(served) == before
    told = " ".join(condition.message for condition in Records(served.store).read(UNIT).conditions)
    assert "settings.py:2 holds a GitHub token" in told
    assert TOKEN not in f"{told} {plan}"
    assert registry.tags("pointsman/bench/mark") == tags

    commit_files(served.repository, {"pointsman/project.yaml": f"{PROJECT}code: {{allowSecrets: [settings.py]}}\n"})
    served.read()
    served.settle()
    assert leads_to(served) != before
    assert len(registry.tags("pointsman/bench/mark")) == len(tags) + 1
