from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sample_endpoint import SAMPLE, isolated

pytestmark = pytest.mark.contract


def accuracy_in(model: Path, packages: Path) -> float:
    code = "import sys, numpy; print(float(numpy.load(sys.argv[1])['accuracy']))"
    command = [sys.executable, "-c", code, model]
    return float(subprocess.run(command, check=True, capture_output=True, env=isolated(packages)).stdout)


@pytest.mark.parametrize(("model", "samples", "least"), [("mnist.npz", 1437, 0.97), ("mnist-20181002.npz", 240, 0.93)])
def test_training_again_gives_the_committed_accuracy(
    model: str, samples: int, least: float, training_packages: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.npz"
    command = [sys.executable, "-W", "error", "train.py", "--samples", str(samples), "--output", again]
    subprocess.run(command, check=True, cwd=SAMPLE, env=isolated(training_packages), capture_output=True, timeout=250)

    committed = accuracy_in(SAMPLE / "models" / model, training_packages)
    assert committed >= least
    # Another processor's arithmetic may decide a picture or two otherwise.
    assert accuracy_in(again, training_packages) == pytest.approx(committed, abs=3 / 360)
