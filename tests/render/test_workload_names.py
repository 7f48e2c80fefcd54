"""What makes another workload, and what must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from declared_examples import (
    EMBEDDED,
    KUBERNETES,
    PREDICT,
    PREDICT_SETTINGS,
    a_deployment,
    declared,
    only_workload,
    rendered,
    with_endpoint,
)

from controller.model.declared import FileContent, Rollout, Scale, SecretRef
from controller.model.source import CodeTree, Revision
from controller.render.renderer import render

pytestmark = pytest.mark.pure
KEY = ("20181002.0", "predict-digit")


def definition(**changes: Any) -> Any:
    return replace(PREDICT, definition=replace(PREDICT.definition, **changes))


ANOTHER_WORKLOAD = {
    "base": (replace(PREDICT, base="python:3.12"), PREDICT_SETTINGS),
    "requirements": (replace(PREDICT, requirements="numpy==2.0.0\n"), PREDICT_SETTINGS),
    "file": (replace(PREDICT, files={"model": FileContent(path="m", blob="d" * 40)}), PREDICT_SETTINGS),
    "wsgi": (definition(wsgi="predict_wsgi:other"), PREDICT_SETTINGS),
    "command": (definition(wsgi=None, command="uvicorn predict:app"), PREDICT_SETTINGS),
    "port": (definition(port=5000), PREDICT_SETTINGS),
    "declared resources": (definition(resources={"cpu": {"min": 1}}), PREDICT_SETTINGS),
    "declared node selector": (definition(node_selector="pool=cpu"), PREDICT_SETTINGS),
    "declared tolerations": (definition(tolerations=()), PREDICT_SETTINGS),
    "resources": (PREDICT, replace(PREDICT_SETTINGS, resources={"cpu": {"min": 2}})),
    "node selector": (PREDICT, replace(PREDICT_SETTINGS, node_selector="pool=cpu")),
    "tolerations": (PREDICT, replace(PREDICT_SETTINGS, tolerations=({"operator": "Exists"},))),
    "health": (PREDICT, replace(PREDICT_SETTINGS, health=None)),
    "variable": (PREDICT, replace(PREDICT_SETTINGS, environment={**PREDICT_SETTINGS.environment, "LOG_LEVEL": "debug"})),
    "secret key": (PREDICT, replace(PREDICT_SETTINGS, environment={"TOKEN": SecretRef("api", "other")})),
    "variable for secret": (PREDICT, replace(PREDICT_SETTINGS, environment={"TOKEN": "api"})),
}


@pytest.mark.parametrize("change", ANOTHER_WORKLOAD)
def test_a_change_that_needs_new_pods_makes_another_workload(change: str) -> None:
    before = only_workload(PREDICT, PREDICT_SETTINGS)
    after = only_workload(*ANOTHER_WORKLOAD[change])
    assert after.name != before.name
    assert after.name.startswith("predict-digit-20181002-0-")


def test_another_version_unit_or_code_makes_another_workload() -> None:
    names = {rendered().workloads[KEY].name}
    other_version = render(declared(a_deployment("20181003.0")), "americas", KUBERNETES, {})
    names.add(other_version.workloads["20181003.0", "predict-digit"].name)
    names.add(render(replace(declared(), project="cifar"), "americas", KUBERNETES, {}).workloads[KEY].name)
    europe = replace(declared(), deployments={"europe": replace(a_deployment(), name="europe")})
    names.add(render(europe, "europe", KUBERNETES, {}).workloads[KEY].name)
    found = with_endpoint(PREDICT, PREDICT_SETTINGS)
    served = found.versions["20181002.0"]
    moved = replace(served, version=replace(served.version, code=CodeTree("", "", (("a", "100644", "e" * 40),))))
    names.add(rendered(replace(found, versions={"20181002.0": moved})).workloads[KEY].name)
    names.add(rendered(target=EMBEDDED).workloads[KEY].name)
    assert len(names) == 6


SAME_WORKLOAD: dict[str, Callable[[], str]] = {
    "scale": lambda: only_workload(PREDICT, replace(PREDICT_SETTINGS, scale=Scale(1, 1))).name,
    "timeout": lambda: only_workload(PREDICT, replace(PREDICT_SETTINGS, timeout=1.0)).name,
    "description": lambda: only_workload(definition(description="reads a digit"), PREDICT_SETTINGS).name,
    "order of variables": lambda: (
        only_workload(
            PREDICT, replace(PREDICT_SETTINGS, environment=dict(reversed(list(PREDICT_SETTINGS.environment.items()))))
        ).name
    ),
    "access": lambda: rendered(a_deployment(basic_auth="predictors"), EMBEDDED).workloads[KEY].name,
    "rollout": lambda: rendered(replace(a_deployment(), rollout=Rollout(60, "recreate", 0))).workloads[KEY].name,
    "revision": lambda: (
        render(replace(declared(), revision=Revision("main", "f" * 40)), "americas", KUBERNETES, {}).workloads[KEY].name
    ),
    "another alias": lambda: rendered(replace(a_deployment(), aliases={})).workloads[KEY].name,
    "another version beside it": lambda: rendered(a_deployment("20181002.0", "20181003.0")).workloads[KEY].name,
}


@pytest.mark.parametrize("change", SAME_WORKLOAD)
def test_any_other_change_leaves_the_workload_its_name(change: str) -> None:
    target = EMBEDDED if change == "access" else KUBERNETES
    assert SAME_WORKLOAD[change]() == rendered(target=target).workloads[KEY].name


def test_the_settings_that_keep_the_name_still_take_effect_in_place() -> None:
    slow = only_workload(PREDICT, replace(PREDICT_SETTINGS, timeout=600.0))
    assert slow.deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 625


def test_names_are_what_they_were_in_the_release_before() -> None:
    """A change here rolls out every workload of every installation: raise `names.FORMAT` knowingly."""
    assert {k[1]: w.name for k, w in rendered().workloads.items()} == {
        "greet-me": "greet-me-20181002-0-d87f5b37e4",
        "predict-digit": "predict-digit-20181002-0-5fee1259e0",
    }
