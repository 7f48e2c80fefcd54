"""The endpoints of Valohai's tensorflow-example, with its valohai.yaml as it is, served from bases with what they name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controller.cli.scratch import sample_directory
from tests.cluster import images, tensorflow
from tests.cluster.fixtures import Testbed
from tests.cluster.stage import Stage, eventually, staged

pytestmark = pytest.mark.cluster
DIGITS = sample_directory() / "digits"


@pytest.fixture(scope="module")
def stage(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    tensorflow.make_all()
    for image in (tensorflow.python39(), tensorflow.tensorflow()):
        images.push(image, testbed.registry)
    with staged(testbed, tmp_path_factory.mktemp("tensorflow"), make=tensorflow.example) as found, found.controller():
        eventually(lambda: found.get("production", "greet").is_success, lambda: f"{found.conditions()}\n{found.log()}")
        yield found


def test_the_server_of_the_standard_library_answers(stage: Stage) -> None:
    for _ in range(10):
        assert stage.get("production", "greet").text.startswith("Hello world!")


def test_tensorflow_reads_digits_with_the_python_and_the_packages_of_its_base(stage: Stage) -> None:
    for digit in range(10):
        picture = (DIGITS / f"{digit}.png").read_bytes()
        answer = stage.ask("POST", "production", "predict-digit", files={"file": picture}, timeout=60.0).json()
        assert (answer["best_guess"], answer["tensorflow"]) == (str(digit), "2.6.0")
