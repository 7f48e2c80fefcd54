from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.source.local import WorkingDirectory

VALOHAI = """
- endpoint:
    name: greet
    image: python:3.11
    port: 8000
    server-command: python serve.py
"""
COMMITTER = {
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.com",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
}


@dataclass(frozen=True)
class Repo:
    """A real repository that a test edits as a person would."""

    path: Path

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, env=COMMITTER, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def write(self, path: str, text: str | bytes = "") -> Path:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def commit(self, message: str = "change", **files: str | None) -> str:
        """Files by path, where `__` stands for `/` and the ending .yaml is left out below pointsman/."""
        for path, text in files.items():
            if text is None:
                (self.path / path).unlink()
            else:
                self.write(path, text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head

    def version(self, name: str, text: str = "{}\n", message: str = "add a version") -> str:
        return self.commit(message, **{f"pointsman/versions/{name}.yaml": text})

    def alias(self, version: str | None, message: str = "move the alias") -> str:
        path = "pointsman/deployments/eu/aliases/production.yaml"
        return self.commit(message, **{path: version and f'version: "{version}"\n'})

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """One commit: a project with a deployment, and code with one endpoint; no version yet."""
    made = Repo(tmp_path / "repo")
    made.path.mkdir()
    made.git("init", "--quiet", "--initial-branch=main")
    files = {
        "valohai.yaml": VALOHAI,
        "serve.py": "print('hello')\n",
        "requirements.txt": "flask\n",
        "golden/greet/hello.yaml": "expect: {status: 200}\n",
        "models/m.bin": "model",
        "pointsman/project.yaml": "format: 1\nowner: o\nname: p\n",
        "pointsman/deployments/eu/deployment.yaml": "{}\n",
    }
    made.commit("begin", **files)
    return made


@pytest.fixture
def source(repo: Repo, tmp_path: Path) -> Iterator[WorkingDirectory]:
    """The commits of the checked-out branch."""
    made = WorkingDirectory(repo.path, state=tmp_path / "state", committed=True)
    yield made
    made.close()


@pytest.fixture
def working(repo: Repo, tmp_path: Path) -> Iterator[WorkingDirectory]:
    """What lies on the disk."""
    made = WorkingDirectory(repo.path, state=tmp_path / "state", committed=False)
    yield made
    made.close()
