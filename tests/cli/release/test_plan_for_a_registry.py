"""The plan for a target that images leave this machine for: what its controller would refuse is said before the push."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from controller.cli.context import find_place
from controller.cli.previews import Preview, Previewed, plans_for
from controller.embedded.store import EmbeddedStore
from controller.engine.cache import TargetCache
from controller.engine.grants import Granted
from controller.engine.placing import Placing
from controller.engine.targets import Target
from controller.images.registry.granted_bases import BaseGrants
from controller.model.diagnostics import Severity
from tests.cli.release.conftest import Project
from tests.engine.settling import PROFILE
from tests.engine.test_bases import building
from tests.images.drawn_secrets import SECRETS
from tests.images.registry_server import running_registry

pytestmark = pytest.mark.contract

Plan = Callable[..., Preview]

HERE = Placing(frozenset({PROFILE.name, "elsewhere"}), PROFILE.name)


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Plan]:
    """Plans the working directory for a target whose registry has nothing yet, with the grants of `Granted`."""
    with (
        running_registry(tmp_path / "registry") as registry,
        building(registry, tmp_path / "cache") as changed,
        EmbeddedStore(tmp_path / "store") as store,
    ):
        target = changed(Target(replace(PROFILE, kind="kubernetes"), store, None, lambda: ()))  # type: ignore[arg-type]

        def made(**grants: Any) -> Preview:
            seen = Previewed(target, TargetCache.listed(store), HERE, granted=partial(Granted, **grants))
            return plans_for(find_place(None, None), lambda _: seen, time.time())

        yield made


def test_a_secret_in_an_image_that_would_be_built_is_an_error(project: Project, plan: Plan) -> None:
    token = SECRETS["pypi"][1]()
    project.write("settings.py", f"\nTOKEN = '{token}'\n")
    project.write("pointsman/versions/v4.yaml", "files: {predict: {model: {path: models/first.bin}}}\n")
    project.commit()
    found = [d for d in plan().declared.diagnostics if d.code == "PM414"]
    assert [(str(d.location), d.severity, str(d.subject)) for d in found] == [("settings.py:2", Severity.ERROR, "version v4")]
    assert "whoever can pull the image could read it" in found[0].message
    assert token not in str(found)
    project.write("pointsman/project.yaml", "format: 1\nowner: acme\nname: mnist\ncode: {allowSecrets: ['*.py']}\n")
    assert [d for d in plan().declared.diagnostics if d.code == "PM414"] == []


def test_a_base_that_the_controller_does_not_grant_is_an_error(project: Project, plan: Plan) -> None:
    project.write("pointsman/versions/v4.yaml", "base: {greet: pytohn}\nfiles: {predict: {model: {path: models/first.bin}}}\n")
    project.commit()
    preview = plan(bases=BaseGrants(("python:*",)))
    told = [str(d.location) for d in preview.declared.diagnostics if d.code == "PM605"]
    assert told == ["pointsman/versions/v4.yaml:1:15"]
    assert {spec.name.partition("/")[0] for made in preview.plans for spec in made.builds} == {"v1", "v2", "v3"}


@pytest.mark.parametrize(
    ("grants", "code", "planned"),
    [
        ({"projects": ("other/*",)}, "PM601", set()),
        ({"targets": ("elsewhere",)}, "PM602", set()),
        ({"file_prefixes": ("https://models.example.com/acme/",)}, "PM509", {"v1", "v2", "v3"}),
    ],
)
def test_what_the_controller_does_not_grant_is_an_error(
    project: Project, plan: Plan, grants: dict[str, Any], code: str, planned: set[str]
) -> None:
    sha256 = "0" * 64
    file = f"{{url: 'https://files.example.com/m.bin', sha256: '{sha256}'}}"
    project.write("pointsman/versions/v4.yaml", f"files: {{predict: {{model: {file}}}}}\n")
    project.commit()
    assert code not in {d.code for d in plan().declared.diagnostics}
    preview = plan(**grants)
    assert code in {d.code for d in preview.declared.diagnostics}
    assert {spec.name.partition("/")[0] for made in preview.plans for spec in made.builds} == planned


def test_a_deployment_of_another_target_is_not_planned_for_this_one(project: Project, plan: Plan) -> None:
    project.write("pointsman/deployments/eu/deployment.yaml", "target: elsewhere\n")
    project.commit()
    assert "eu" not in {made.unit.deployment for made in plan().plans}
    project.write("pointsman/deployments/eu/deployment.yaml", "target: nowhere\n")
    project.commit()
    assert "PM604" in {d.code for d in plan().declared.diagnostics}
