"""The text before a container's command does what it is for, in a real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from controller.model.declared import EndpointDefinition
from controller.render.command import endpoint_command

pytestmark = pytest.mark.contract


def run(home: Path, written: str) -> str:
    text = endpoint_command(EndpointDefinition("e", "i", command=written), in_container=True).text
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": "/base"}
    done = subprocess.run(["sh", "-c", text], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


def test_packages_and_scripts_come_before_the_bases_own(tmp_path: Path) -> None:
    found = dict(line.split("=", 1) for line in run(tmp_path, "env").splitlines())
    assert found["PATH"] == f"{tmp_path}/.local/bin:/opt/pointsman/python/bin:/usr/bin:/bin"
    assert found["PYTHONPATH"] == "/opt/pointsman/python:/base"
    assert (tmp_path / ".local/bin").readlink() == Path("/opt/pointsman/python/bin")


def test_scripts_that_a_base_has_in_its_home_stay(tmp_path: Path) -> None:
    own = tmp_path / ".local/bin"
    own.mkdir(parents=True)
    run(tmp_path, "env")
    assert own.is_dir()
    assert not own.is_symlink()


def test_a_home_that_cannot_be_written_is_no_obstacle() -> None:
    assert "PATH=" in run(Path("/proc/nowhere"), "env")
