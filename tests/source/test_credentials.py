"""What git and ssh make of the credentials that they are given: asked of git and ssh themselves."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from controller.model.errors import PointsmanError
from controller.source.credentials import authorities_environment, ssh_environment, token_environment
from controller.source.mirror import Mirror
from tests.source.conftest import Repo
from tests.source.git_https import TOKEN, USER, Forge, forge_of, update_server_info

pytestmark = pytest.mark.contract

URL = "https://git.example.com/ruksi/mnist.git"


def filled(host: str, environment: Mapping[str, str]) -> str:
    """What git would log in with."""
    done = subprocess.run(
        ["git", "credential", "fill"],
        input=f"protocol=https\nhost={host}\n\n",
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
             "GIT_ASKPASS": "true", **environment},
        capture_output=True, text=True, timeout=60, check=False,
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
    done = subprocess.run([*command, "-G", "git.example.com"], capture_output=True, text=True, timeout=60, check=True)
    said = done.stdout.splitlines()
    assert next(line for line in said if line.startswith("userknownhostsfile ")).split(" ", 1)[1].strip('"') == str(known)
    assert "stricthostkeychecking true" in said
    assert "identitiesonly yes" in said
    assert f"identityfile {key}" in said
    assert "batchmode yes" in said


@pytest.fixture
def forge(repo: Repo, tmp_path: Path) -> Iterator[Forge]:
    repo.version("1")
    with forge_of(repo.path, tmp_path) as found:
        yield found


def test_a_repository_behind_a_token_and_a_certificate_of_its_own_is_read(repo: Repo, forge: Forge, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    environment = {**token_environment(forge.url, token, USER), **authorities_environment(forge.certificate)}
    mirror = Mirror(forge.url, state=tmp_path / "mirrors", branch="main", environment=environment)
    assert mirror.refresh()
    assert set(mirror.snapshot().versions) == {"1"}
    repo.version("2")
    update_server_info(repo.path)
    assert mirror.refresh()
    mirror.close()
    token.write_text("another\n")
    with pytest.raises(PointsmanError) as refused:
        mirror.refresh()
    assert "another" not in f"{refused.value} {refused.value.hint}"
    assert forge.logins[-1] == f"{USER}:another"
    assert set(mirror.snapshot().versions) == {"1", "2"}
    mirror.close()


def test_without_credentials_it_is_refused_at_once_and_asks_nobody(forge: Forge, tmp_path: Path) -> None:
    environment = authorities_environment(forge.certificate)
    mirror = Mirror(forge.url, state=tmp_path / "mirrors", branch="main", environment=environment)
    with pytest.raises(PointsmanError):
        mirror.refresh()
    assert TOKEN not in forge.logins
    mirror.close()


def test_a_forge_that_is_not_trusted_gets_no_token(forge: Forge, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    other = tmp_path / "other.crt"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other"]
    subprocess.run(
        [*made, "-keyout", str(tmp_path / "other.key"), "-out", str(other)], check=True, capture_output=True, timeout=60
    )
    environment = {**token_environment(forge.url, token, USER), **authorities_environment(other)}
    mirror = Mirror(forge.url, state=tmp_path / "mirrors", branch="main", environment=environment)
    with pytest.raises(PointsmanError, match="certificate"):
        mirror.refresh()
    assert forge.logins == []
    mirror.close()
