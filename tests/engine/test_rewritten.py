"""After rewritten history that took nothing away, the next removal is an ordinary one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.declared_repository import ENVIRONMENT, Shape, version_name
from tests.engine.settling import settling

pytestmark = pytest.mark.system


def _git(repository: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=repository, env=ENVIRONMENT, check=True, capture_output=True)


def test_the_rewritten_line_is_remembered_once_it_is_settled(tmp_path: Path) -> None:
    with settling(tmp_path, Shape(deployments=1, each=3)) as made:
        made.settle()
        _git(made.repository, "checkout", "--force", "main")
        _git(made.repository, "commit", "--amend", "--allow-empty", "-m", "The same, said otherwise")
        made.read()
        made.settle()
        _git(made.repository, "rm", "--quiet", f"pointsman/versions/{version_name('d0000', 0)}.yaml")
        _git(made.repository, "commit", "-m", "Retire the oldest")
        made.read()
        made.settle()
        assert len([obj for obj in made.store.deleted if obj["kind"] == "Deployment"]) == 1
