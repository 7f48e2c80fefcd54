"""The sample's code with its real dependencies, in throw-away folders: the tests' own environment has none of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sample_endpoint import SAMPLE, Predictor, install, isolated

HERE = Path(__file__).parent
Start = Callable[..., Predictor]


@pytest.fixture(scope="session")
def serving_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(SAMPLE / "requirements-deployment.txt", tmp_path_factory.mktemp("serving"))


@pytest.fixture(scope="session")
def training_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(SAMPLE / "requirements.txt", tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="session")
def pictures(training_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every held-out digit as `held-out/<number>-<digit>.png` and with drawings of a seven."""
    folder = tmp_path_factory.mktemp("pictures")
    command = [sys.executable, HERE / "write_pictures.py", SAMPLE, folder]
    subprocess.run(command, check=True, timeout=120, env=isolated(training_packages))
    return folder


@pytest.fixture(scope="session")
def start(serving_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts `predict-digit` with a model of `models/` and environment variables; stops every one at the end."""
    with ExitStack() as running:

        def _start(model: str, **environment: str) -> Predictor:
            code = tmp_path_factory.mktemp("code")
            for module in SAMPLE.glob("*.py"):
                shutil.copy(module, code)
            shutil.copy(SAMPLE / "models" / model, code / "model.npz")
            log = running.enter_context((code / "server.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, HERE / "serve.py", code],
                cwd=code,
                env=isolated(serving_packages, **environment),
                stdout=subprocess.PIPE,
                stderr=log,
            )
            running.enter_context(process)
            running.callback(process.kill)
            assert process.stdout is not None
            port = process.stdout.readline()
            assert port, f"the server did not start:\n{(code / 'server.log').read_text()}"
            return Predictor(int(port))

        yield _start
