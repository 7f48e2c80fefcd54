"""A repository of many deployments that run nothing: each is one version without replicas behind its own URL."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.declared_repository import ENVIRONMENT, VALOHAI, deployment_name

VERSION = "1.0"
_OWNER = "bench"


@dataclass(frozen=True)
class IdleRepository:
    """Every change is one commit of the one branch, made by `git fast-import`."""

    path: Path
    project: str
    units: int
    owner: str = _OWNER

    @classmethod
    def create(cls, path: Path, project: str, units: int) -> Self:
        path.mkdir(parents=True)
        made = cls(path, project, units)
        made._git("init", "--quiet", "--initial-branch=main")
        files = {"valohai.yaml": VALOHAI, "serve.py": "print('served')\n", f"pointsman/versions/{VERSION}.yaml": "{}\n"}
        deployments = {
            f"{made._directory(name)}/deployment.yaml": f"environment: {{REGION: {name}}}\n" for name in made._names()
        }
        made._commit("begin", {**files, **deployments, "pointsman/project.yaml": made._project("60s")}, is_first=True)
        return made

    def change_timeout(self, timeout: str) -> None:
        """One field of every deployment, by the project's defaults."""
        self._commit(f"wait {timeout}", {"pointsman/project.yaml": self._project(timeout)})

    def remove_all(self) -> None:
        """No deployment is declared any more, and that is meant so."""
        meant = "\n".join(f"Pointsman-Allow-Prune: {name}" for name in self._names())
        self._commit(f"end\n\n{meant}", {self._directory(name): None for name in self._names()})

    def change_nothing(self) -> None:
        """A commit that no deployment is concerned by."""
        self._commit("tell", {"README.md": "Nothing here is served.\n"})

    def head(self) -> str:
        return self._git("rev-parse", "main").strip()

    def _names(self) -> Iterator[str]:
        return (deployment_name(number) for number in range(self.units))

    @staticmethod
    def _directory(name: str) -> str:
        return f"pointsman/deployments/{name}"

    def _project(self, timeout: str) -> str:
        defaults = f"{{idle: {{replicas: 0}}, endpoints: {{predict: {{timeout: {timeout}}}}}}}"
        return f"format: 1\nowner: {self.owner}\nname: {self.project}\ndefaults: {defaults}\n"

    def _commit(self, message: str, files: dict[str, str | None], *, is_first: bool = False) -> None:
        lines = ["commit refs/heads/main", "committer Somebody <somebody@example.com> 1700000000 +0000", _data(message)]
        lines += [] if is_first else ["from refs/heads/main^0"]
        lines += [f"D {path}" if text is None else f"M 100644 inline {path}\n{_data(text)}" for path, text in files.items()]
        self._git("fast-import", "--quiet", stdin="\n".join(lines) + "\n")

    def _git(self, *arguments: str, stdin: str | None = None) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.path, env=ENVIRONMENT, input=stdin, stdout=subprocess.PIPE, text=True, check=True
        ).stdout


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"
