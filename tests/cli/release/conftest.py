from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.cli.app import main
from tests.cli.typed import Typed

VALOHAI = """
- endpoint:
    name: greet
    image: python:3.11
    server-command: python serve.py
- endpoint:
    name: predict
    image: python:3.11
    server-command: python predict.py
    files:
      - name: model
        path: model.bin
"""
FILES = {
    "valohai.yaml": VALOHAI,
    "serve.py": "print('hello')\n",
    "predict.py": "print('seven')\n",
    "models/first.bin": "1",
    "models/second.bin": "2",
    "pointsman/project.yaml": "format: 1\nowner: acme\nname: mnist\n",
    "pointsman/versions/v1.yaml": "# the first\nfiles: {predict: {model: {path: models/first.bin}}}\n",
    "pointsman/versions/v2.yaml": "files: {predict: {model: {path: models/second.bin}}}\n",
    "pointsman/versions/v3.yaml": "files: {predict: {model: {path: models/second.bin}}}\ndeployments: [eu]\n",
    "pointsman/deployments/eu/deployment.yaml": "{}\n",
    "pointsman/deployments/eu/aliases/production.yaml": "# who pays\nversion: v1   # stable\n",
    "pointsman/deployments/eu/aliases/staging.yaml": 'version: "v2"\n',
    "pointsman/deployments/us/deployment.yaml": "{}\n",
    "pointsman/deployments/us/aliases/production.yaml": 'version: "v1"\n',
}


@dataclass(frozen=True)
class Project:
    """A real repository, and the command run in it as a person would."""

    path: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> Typed:
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = self.capture.readouterr()
        return Typed(int(ended.value.code or 0), out, err)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self, path: str) -> str:
        return (self.path / path).read_text()

    def commit(self, message: str = "change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    @property
    def status(self) -> str:
        return self.git("status", "--porcelain")

    def alias(self, deployment: str = "eu", name: str = "production") -> str:
        return self.read(f"pointsman/deployments/{deployment}/aliases/{name}.yaml")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A repository with an identity and no commit, on a machine of its own."""
    for name in (
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
        "EMAIL",
        "POINTSMAN_STATE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    path = tmp_path / "mnist"
    path.mkdir()
    monkeypatch.chdir(path)
    project = Project(path, capsys)
    project.git("init", "--quiet", "--initial-branch=main")
    project.git("config", "user.name", "Somebody")
    project.git("config", "user.email", "somebody@example.com")
    before = signal.getsignal(signal.SIGTERM)
    yield project
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def project(empty: Project) -> Project:
    """Two deployments, three versions, committed."""
    for path, text in FILES.items():
        empty.write(path, text)
    empty.commit("Declare")
    return empty
