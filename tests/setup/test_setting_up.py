"""What a person sees on a machine that lacks something."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "sed", "mktemp", "rm", "git")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH with what every system has, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is not installed"
        (folder / tool).symlink_to(found)
    return folder


def add_python(programs: Path, missing: str) -> None:
    """A Python that cannot import `missing`, as on a Debian without python3-venv."""
    python = programs / "python3"
    python.write_text(f'#!/bin/sh\ncase "$2" in *{missing}*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)


def set_up(programs: Path, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [programs / "sh", ROOT / ".ci" / "venv", tmp_path / "venv"]
    settings = {"PATH": str(programs), "TMPDIR": str(tmp_path), **environment}
    return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=120, check=False)


def test_without_python_it_says_what_to_install(programs: Path, tmp_path: Path) -> None:
    result = set_up(programs, tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: no Python 3.11 or newer is on the PATH\nhint: install one")


def test_without_ensurepip_it_names_the_package(programs: Path, tmp_path: Path) -> None:
    add_python(programs, "ensurepip")
    result = set_up(programs, tmp_path)
    assert result.returncode == 1
    assert re.search(r"^hint: apt install python3\.\d+-venv ", result.stderr, re.MULTILINE)
    assert not (tmp_path / "venv").exists()


def test_a_named_python_that_is_not_there_is_not_replaced_by_another(programs: Path, tmp_path: Path) -> None:
    add_python(programs, "nothing at all")
    result = set_up(programs, tmp_path, PYTHON="/no/such/python")
    assert result.returncode == 1
    assert "make PYTHON=" in result.stderr


def test_without_git_it_says_so_first(programs: Path, tmp_path: Path) -> None:
    (programs / "git").unlink()
    result = set_up(programs, tmp_path)
    assert result.stderr == "error: git is not on the PATH\nhint: install it: apt install git, brew install git\n"


def test_every_target_of_the_makefile_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=120, check=True
    )
    assert [line.split()[0] for line in shown.stdout.splitlines()] == phony[1].split()


def test_the_development_lock_holds_the_runtime_lock() -> None:
    pins = [
        set(re.findall(r"^\S+==\S+", (ROOT / f"requirements/{name}.lock").read_text(), re.MULTILINE))
        for name in ("runtime", "dev")
    ]
    assert pins[0]
    assert pins[0] <= pins[1]
