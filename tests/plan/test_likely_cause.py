"""What an endpoint's last words suggest; the words are those that public projects printed under `pointsman up`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model.images import BuildFailure, ImageSpec
from controller.model.source import CodeTree
from controller.plan.gates import missing_inputs
from controller.plan.likely_cause import likely_cause
from controller.plan.view import View
from tests.plan.world import World, deployment

pytestmark = pytest.mark.pure

FILE = "requirements-deployment.txt, or to requirements.txt if that is the only one"


def spec(requirements: str | None = "pillow==8.3.2\n", base: str = "host:cpython-3.11-linux-x86_64") -> ImageSpec:
    code = CodeTree("", "", (("predict.py", "100644", "a" * 40), ("utils", "040000", "b" * 40)))
    return ImageSpec("r", base, "linux/amd64", code, "run", 8000, requirements=requirements)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("exited with code 3 twice: No module named 'werkzeug'", f"add `werkzeug` to {FILE}"),
        ("exited with code 1 once: ModuleNotFoundError: No module named 'tensorflow.keras'", f"add `tensorflow` to {FILE}"),
        ("exited with code 1 once: ModuleNotFoundError: No module named 'PIL'", f"add `pillow` to {FILE}"),
        ("No module named 'utils.image'", "`utils` is in the code, but has no `utils.image`: was everything committed?"),
        (
            "exited with code 127 once: sh: 1: uvicorn: not found",
            f"no program `uvicorn` here: add the package that brings it to {FILE}",
        ),
        ("sh: line 1: streamlit: command not found", f"no program `streamlit` here: add the package that brings it to {FILE}"),
        (
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "the library libGL.so.1 is not on this machine: its base image would have it, but is not run here",
        ),
        (
            "the image cannot be pulled (ImagePullBackOff: not found: r.example.com/a@sha256:1)",
            "the registry has lost it: `pointsman reconcile` builds it again",
        ),
    ],
)
def test_the_next_step(words: str, cause: str) -> None:
    assert likely_cause(words, spec()) == cause


def test_without_requirements_the_file_has_to_be_made() -> None:
    assert (
        likely_cause("No module named 'flask'", spec(None))
        == "add `flask` to requirements-deployment.txt, which does not exist yet"
    )


def test_a_base_that_runs_lacks_its_libraries_itself() -> None:
    words = "ImportError: libGL.so.1: cannot open shared object file"
    assert likely_cause(words, spec(base="python:3.11")) == "the library libGL.so.1 is not in the base image python:3.11"


def test_a_missing_package_goes_where_packages_are_named() -> None:
    locked = replace(spec(None), locked=True)
    assert likely_cause("No module named 'PIL'", locked) == (
        "add `pillow` to pyproject.toml (`uv add` does that and renews uv.lock)"
    )
    assert likely_cause("No module named 'PIL'", spec(None)) == (
        "add `pillow` to requirements-deployment.txt, which does not exist yet"
    )


@pytest.mark.parametrize(
    "words", ["", "starting", "ValueError: model not found", "exited with code 1 once", "404: page not found"]
)
def test_other_words_stand_alone(words: str) -> None:
    assert likely_cause(words, spec()) is None


def test_a_build_that_failed_says_what_to_do_before_the_installers_many_lines() -> None:
    world = World()
    found = deployment(["1"], {"production": "1"})
    world.declare(found)
    desired = world.desired()
    hint = "no wheel fits this Python and platform: pin a version that has one"
    failed = BuildFailure("k", "the requirements cannot be installed:\nerror: No solution found", hint)
    workload = replace(desired.workloads["1", "predict"], image=failed)
    view = View(desired, world.observed(), world.record, world.now)
    assert [g.message for g in missing_inputs(view, workload)] == [
        f"predict: the image cannot be built ({hint}): the requirements cannot be installed:\nerror: No solution found"
    ]
