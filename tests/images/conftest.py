from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from base_images import push_base
from registry_server import Registry, running_registry

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_build(tmp_path: Path) -> Iterator[Start]:
    """Starts `build_once.py` with a model file beside its root; ends whatever still runs after the test."""
    (tmp_path / "model.bin").write_bytes(os.urandom(1 << 10) * 3000)
    started: list[subprocess.Popen[str]] = []

    def start(root: Path, *options: str, umask: int = 0o022, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("build_once.py")), str(root), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            umask=umask,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run_build(start_build: Start) -> Callable[..., tuple[int, str, str]]:
    """Runs one build to its end: exit code, standard output, standard error."""

    def run(root: Path, *options: str, umask: int = 0o022, **environment: str) -> tuple[int, str, str]:
        process = start_build(root, *options, umask=umask, **environment)
        out, errors = process.communicate(timeout=60)
        return process.returncode, out, errors

    return run


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A real registry with a small `library/python:3.11`."""
    with running_registry(tmp_path / "registry") as running:
        push_base(running.url)
        yield running
