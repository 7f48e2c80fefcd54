"""What `pointsman up` says in directories with the traits of public projects: their first stumbling blocks, one by one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.embedded.runtime.conftest import kill_everything_below

pytestmark = pytest.mark.system

LONGEST = 120.0
GREET = """
- endpoint:
    name: greet
    image: python:3.6
    port: 8000
    server-command: python -m wsgiref.simple_server
"""
PREDICT = """
- step: {nonsense: true}
- endpoint:
    name: predict-digit
    image: tensorflow/tensorflow:2.6.0
    server-command: python predict.py
    files: [{name: model, description: weights, path: model.h5}]
"""
SERVER = """
import http.server
import {module}
http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)
"""
NOT_RUN = re.escape(f"runs on this machine's Python {sys.version_info.major}.{sys.version_info.minor}, not on its base image")


@dataclass
class Up:
    """A running `pointsman up` with what it has said so far."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stderr
        self.said.extend(iter(self.process.stderr.readline, ""))

    def until(self, pattern: str) -> str:
        """The first line that holds the pattern."""
        deadline = time.monotonic() + LONGEST
        while not (found := [line for line in list(self.said) if re.search(pattern, line)]):
            assert time.monotonic() < deadline, "".join(self.said)
            time.sleep(0.02)
        return found[0]

    def until_gone(self, url: str) -> None:
        """Until the gateway answers that nothing is served there."""
        deadline = time.monotonic() + LONGEST
        while (status := httpx2.get(url, timeout=60.0).status_code) != 404:
            assert time.monotonic() < deadline, f"{url} answers {status}:\n{''.join(self.said)}"
            time.sleep(0.02)


@contextmanager
def up(directory: Path, state: Path, *arguments: str) -> Iterator[Up]:
    command = [sys.executable, "-m", "controller", "up", str(directory), "--state", str(state), *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "HOME": str(state.parent)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        found = Up(process)
        reader = threading.Thread(target=found.read)
        reader.start()
        try:
            yield found
            process.send_signal(signal.SIGINT)
            assert process.wait(LONGEST) == 130
        finally:
            process.kill()
            process.wait()
            reader.join()
            kill_everything_below(state)


def project(directory: Path, valohai: str, module: str = "json") -> Path:
    directory.mkdir()
    (directory / "valohai.yaml").write_text(valohai)
    (directory / "predict.py").write_text(SERVER.format(module=module))
    return directory


def test_a_model_that_is_not_in_git_and_an_old_base(tmp_path: Path) -> None:
    directory = project(tmp_path / "example", GREET + PREDICT)
    with up(directory, tmp_path / "state") as running:
        assert running.until(r"PM316").endswith(
            "predict-digit: file `model` has no bytes, and there is no model.h5 here; the endpoint is left out [PM316]\n"
        )
        running.until(r"hint: pointsman up --file predict-digit/model=PATH\|URL$")
        running.until(f"greet {NOT_RUN} python:3.6$")
        running.until("work  serves as latest: http://127.0.0.1:[0-9]+/local/example/local/latest$")
        (directory / "model.h5").write_bytes(b"weights")
        running.until(
            rf"predict-digit {NOT_RUN} tensorflow/tensorflow:2.6.0; what that image brings \(tensorflow\?\) must be in "
        )


def test_a_module_that_only_the_base_image_brings(tmp_path: Path) -> None:
    directory = project(tmp_path / "example", PREDICT, module="brought_by_the_base")
    (tmp_path / "model.h5").write_bytes(b"weights")
    with up(directory, tmp_path / "state", "--file", f"predict-digit/model={tmp_path / 'model.h5'}") as running:
        running.until(
            "No module named 'brought_by_the_base' → add `brought_by_the_base` to requirements-deployment.txt, which does not"
        )
        (directory / "brought_by_the_base.py").write_text("")
        running.until("work  serves as latest")


def test_a_repository_of_several_projects(tmp_path: Path) -> None:
    (tmp_path / "samples" / ".git").mkdir(parents=True)
    project(tmp_path / "samples" / "01_graph", GREET)
    with up(tmp_path / "samples", tmp_path / "state") as running:
        running.until("samples has no valohai.yaml$")
        running.until("hint: pointsman up 01_graph$")


def test_an_endpoint_that_is_taken_out_of_valohai_yaml_goes_without_asking(tmp_path: Path) -> None:
    directory = project(tmp_path / "example", GREET + GREET.replace("greet", "farewell"))
    with up(directory, tmp_path / "state") as running:
        url = running.until("work  serves as latest").rpartition(" ")[2].strip()
        (directory / "valohai.yaml").write_text(GREET)
        running.until_gone(f"{url}/farewell")
        assert "held" not in "".join(running.said)


def test_what_was_served_before_there_was_a_declared_tree_goes_by_itself(tmp_path: Path) -> None:
    directory = project(tmp_path / "example", GREET)
    with up(directory, tmp_path / "state") as running:
        url = running.until("work  serves as latest").rpartition(" ")[2].strip()
        declare(directory)
        running.until("example has a declared tree now")
    with up(directory, tmp_path / "state") as running:
        running.until("v1  serves as production")
        running.until_gone(f"{url}/greet")
        assert "held" not in "".join(running.said)


def test_a_mended_mistake_is_not_told_again(tmp_path: Path) -> None:
    directory = project(tmp_path / "example", GREET)
    declare(directory)
    alias = directory / "pointsman/deployments/main/aliases/production.yaml"
    mended = alias.read_text()
    alias.write_text("version: v2\n")
    with up(directory, tmp_path / "state") as running:
        running.until("leads to version `v2`, which does not exist")
        alias.write_text(mended)
        running.until("v1  serves as production")
        assert "held" not in "".join(running.said)
        assert len([line for line in running.said if "leads to version `v2`, which does not exist" in line]) == 1


def declare(directory: Path) -> None:
    """Put code and the first declared files into git."""
    files = {
        "versions/v1.yaml": "{}",
        "deployments/main/deployment.yaml": "{}",
        "deployments/main/aliases/production.yaml": "version: v1",
        "project.yaml": "{format: 1, owner: acme, name: example}",
    }
    for path, text in files.items():
        (directory / "pointsman" / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / "pointsman" / path).write_text(f"{text}\n")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "--all"), ("commit", "-q", "-m", "Declare")):
        subprocess.run(["git", *identity, *command], cwd=directory, check=True)
