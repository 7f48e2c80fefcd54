"""Repositories as large as one wishes: every commit adds code, a version and moves an alias to it, as a release does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
PROJECT = """\
format: 1
owner: bench
name: mark
defaults: {environment: {LOG_LEVEL: info}}
"""
DEPLOYMENT = """\
environment: {REGION: somewhere}
endpoints: {predict: {scale: {min: 2, max: 2}, health: {path: /healthz}}}
"""
VALOHAI = """\
- endpoint:
    name: predict
    image: python:3.11
    server-command: python serve.py
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """`each` versions in each of `deployments` deployments; the alias `production` leads to the newest of each."""

    deployments: int
    each: int

    @property
    def versions(self) -> int:
        return self.deployments * self.each

    def __str__(self) -> str:
        return f"{self.versions:,} in {self.deployments}"


def write_repository(path: Path, shape: Shape) -> Path:
    """A real repository with one commit per version; only `git fast-import` makes it, and no file is checked out."""
    _git(path, "init", "--quiet", "--initial-branch=main", "--", str(path))
    _git(path, "fast-import", "--quiet", stdin=b"".join(_stream(shape)))
    return path


def move_alias(path: Path, deployment: str, version: str) -> None:
    """One more commit: a rollback, or a promotion of what is there."""
    alias = _file(f"pointsman/deployments/{deployment}/aliases/production.yaml", f'version: "{version}"\n')
    _git(path, "fast-import", "--quiet", stdin=_commit(f"{deployment} to {version}") + b"from refs/heads/main^0\n" + alias)


def deployment_name(number: int) -> str:
    return f"d{number:04d}"


def version_name(deployment: str, number: int) -> str:
    return f"{deployment}.{number}"


def _stream(shape: Shape) -> Iterator[bytes]:
    yield _commit("begin") + _file("pointsman/project.yaml", PROJECT) + _file("valohai.yaml", VALOHAI)
    for deployment in range(shape.deployments):
        yield _file(f"pointsman/deployments/{deployment_name(deployment)}/deployment.yaml", DEPLOYMENT)
    for number in range(shape.each):
        for deployment in range(shape.deployments):
            name = deployment_name(deployment)
            yield from _release(name, version_name(name, number))


def _release(deployment: str, version: str) -> Iterator[bytes]:
    yield _commit(f"release {version}")
    yield _file("serve.py", f"print('{version}')\n")
    yield _file(f"pointsman/versions/{version}.yaml", f'deployments: [{deployment}]\nenvironment: {{RELEASE: "{version}"}}\n')
    yield _file(f"pointsman/deployments/{deployment}/aliases/production.yaml", f'version: "{version}"\n')


def _commit(message: str) -> bytes:
    committer = "committer Somebody <somebody@example.com> 1700000000 +0000"
    return f"commit refs/heads/main\n{committer}\ndata {len(message.encode())}\n{message}\n".encode()


def _file(path: str, text: str) -> bytes:
    return f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n".encode()


def _git(path: Path, *arguments: str, stdin: bytes | None = None) -> None:
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", *arguments], cwd=path, env=ENVIRONMENT, input=stdin, check=True)
