"""What git and ssh make of the credentials that they are given: asked of git and ssh themselves."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.source.credentials import ssh_environment, token_environment

pytestmark = pytest.mark.contract

URL = "https://git.example.com/ruksi/mnist.git"


def filled(host: str, environment: Mapping[str, str]) -> str:
    """What git would log in with."""
    done = subprocess.run(
        ["git", "credential", "fill"],
        input=f"protocol=https\nhost={host}\n\n",
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
             "GIT_ASKPASS": "true", **environment},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.stdout


def test_the_token_is_read_anew_and_goes_to_its_own_host_alone(tmp_path: Path) -> None:
    token = tmp_path / "a token's file"
    token.write_text("first\n")
    environment = token_environment(URL, token, "bot")
    assert "username=bot\npassword=first\n" in filled("git.example.com", environment)
    token.write_text("second")
    assert "password=second\n" in filled("git.example.com", environment)
    assert "second" not in filled("elsewhere.example.com", environment)
    assert "second" not in str(environment)


def test_ssh_trusts_the_given_hosts_with_the_given_key_alone(tmp_path: Path) -> None:
    ssh = shutil.which("ssh")
    assert ssh, "ssh is not installed"
    known, key = tmp_path / "known hosts", tmp_path / "identity"
    key.touch()
    command = shlex.split(ssh_environment(key, known)["GIT_SSH_COMMAND"])
    done = subprocess.run([*command, "-G", "git.example.com"], capture_output=True, text=True, timeout=30, check=True)
    said = done.stdout.splitlines()
    assert next(line for line in said if line.startswith("userknownhostsfile ")).split(" ", 1)[1].strip('"') == str(known)
    assert "stricthostkeychecking true" in said
    assert "identitiesonly yes" in said
    assert f"identityfile {key}" in said
    assert "batchmode yes" in said
