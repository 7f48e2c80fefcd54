"""The program itself, run as a person would, over a repository and a state directory of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.typed import Typed
from tests.system.repository import Repository

RUNNING = 150.0


@dataclass(frozen=True)
class Person:
    """Sits in the repository and types commands."""

    repository: Repository
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "UV_CACHE_DIR") if name in os.environ}
        return {**kept, "HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state"), "COLUMNS": "80"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "controller", *arguments],
            cwd=self.repository.root,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, stdin: str = "") -> Typed:
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(stdin, timeout=RUNNING)
            finally:
                process.kill()
            return Typed(process.returncode, out, err)

    @contextmanager
    def serving(self, *, committed: bool = True) -> Iterator[None]:
        """`pointsman up`, until its gateway is there; ended with its endpoints."""
        with self.start("up", *(["--committed"] if committed else [])) as process:
            try:
                assert process.stderr is not None
                assert any("gateway at" in line for line in process.stderr), "it ended before its gateway was there"
                yield
            finally:
                process.terminate()
                try:
                    process.communicate(timeout=RUNNING)
                finally:
                    process.kill()


@pytest.fixture
def person(tmp_path: Path) -> Person:
    repository = Repository.create(tmp_path / "echo")
    repository.configure(idle={"replicas": 0})
    repository.release("v1")
    (tmp_path / "home").mkdir()
    return Person(repository, tmp_path / "home")
