"""What a person reads about base images that a process runtime does not run."""

from __future__ import annotations

import pytest
from declared_examples import EMBEDDED, KUBERNETES, rendered, with_endpoint

from controller.model.declared import EndpointDefinition, EndpointSettings, VersionEndpoint
from controller.model.desired import TargetProfile

pytestmark = pytest.mark.pure

RUNS = "predict-digit runs on this machine's Python 3.11, not on its base image"
BRINGS = "must be in requirements-deployment.txt"


def notices(
    base: str, requirements: str | None = None, target: TargetProfile = EMBEDDED, *, locked: bool = False
) -> tuple[str, ...]:
    definition = EndpointDefinition("predict-digit", base, wsgi="a:b")
    endpoint = VersionEndpoint(definition, base, requirements=requirements, locked=locked)
    return rendered(with_endpoint(endpoint, EndpointSettings()), target).notices


@pytest.mark.parametrize(
    "base", ["python:3.11", "python:3.11-slim", "python:3.11.7@sha256:abc", "docker.io/library/python:3.11", "python"]
)
def test_the_machines_own_python_needs_no_word(base: str) -> None:
    assert notices(base) == ()


@pytest.mark.parametrize(
    ("base", "requirements", "more"),
    [
        ("python:3.6", None, ""),
        ("tensorflow/tensorflow:2.6.0", "pillow==8.3.2\n", f"; what that image brings (tensorflow?) {BRINGS}"),
        ("tensorflow/tensorflow:2.6.0", "pillow\ntensorflow==2.6.0\n", f"; what that image brings {BRINGS}"),
        (
            "tiangolo/uvicorn-gunicorn-fastapi:python3.7",
            None,
            f"; what that image brings (uvicorn, gunicorn, fastapi?) {BRINGS}",
        ),
        ("registry.example.com:5000/team/torch-gpu", None, f"; what that image brings (torch?) {BRINGS}"),
        ("r-base", None, f"; what that image brings {BRINGS}"),
    ],
)
def test_any_other_base_is_named_with_what_it_may_bring(base: str, requirements: str | None, more: str) -> None:
    assert notices(base, requirements) == (f"{RUNS} {base}{more}",)


def test_a_lock_is_named_where_it_says_what_is_installed() -> None:
    (notice,) = notices("tensorflow/tensorflow:2.6.0", locked=True)
    assert notice.endswith("what that image brings (tensorflow?) must be in uv.lock")


def test_where_images_run_nothing_is_said() -> None:
    assert notices("tensorflow/tensorflow:2.6.0", target=KUBERNETES) == ()
