"""Whose containers are whose: what those of one state directory carry on an Engine that others use too."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controller.embedded.runtime.docker.labels import ContainerLabels
from controller.model.identity import content_hash

_FILE, _CONTAINERS = "engine", "containers"


@dataclass(frozen=True, slots=True)
class EngineMark:
    """Two files in a cluster's directory for its runs: one makes its id, the other says that containers may be there."""

    directory: Path

    @property
    def may_have_containers(self) -> bool:
        return self._containers.exists()

    def set_containers(self, *, possible: bool) -> None:
        """Before the first container is made, and after the last one has gone."""
        if possible:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._containers.touch()
        else:
            self._containers.unlink(missing_ok=True)

    def id(self) -> str:
        """Made once. A copy of the directory, or the same path on another machine, has another one."""
        with suppress(FileNotFoundError):
            return content_hash([self._file.read_text(), str(self.directory.resolve())], 20)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.directory / f".{_FILE}-{secrets.token_hex(4)}"
        temporary.write_text(secrets.token_hex(16))
        with suppress(FileExistsError):  # of two at once one counts
            self._file.hardlink_to(temporary)
        temporary.unlink()
        return self.id()

    def label(self, labels: ContainerLabels) -> dict[str, str]:
        """The labels of a container, with those of the state directory that it belongs to."""
        return labels.write(self.id(), str(self.directory.resolve().parent))

    @property
    def _file(self) -> Path:
        return self.directory / _FILE

    @property
    def _containers(self) -> Path:
        return self.directory / _CONTAINERS
