"""Whose containers are whose: what those of one state directory carry on an Engine that others use too."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from controller.embedded.runtime.docker.labels import ContainerLabels
from controller.model.errors import Unavailable
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
        """Before the first container is made, and after the last one has gone. Raises `Unavailable`."""
        with self._written():
            if possible:
                self._containers.touch()
            else:
                self._containers.unlink(missing_ok=True)

    def id(self) -> str:
        """Made once. A copy of the directory, or the same path on another machine, has another one. Raises `Unavailable`."""
        with self._written():
            if not self._file.exists():
                self._make()
            return content_hash([self._file.read_text(), str(self.directory.resolve())], 20)

    def _make(self) -> None:
        temporary = self.directory / f".{_FILE}-{secrets.token_hex(4)}"
        try:
            temporary.write_text(secrets.token_hex(16))
            with suppress(FileExistsError):  # of two at once one counts
                self._file.hardlink_to(temporary)
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _written(self) -> Iterator[None]:
        """For what needs the directory on its disk, which may be full."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            yield
        except OSError as error:
            hint = "free some disk, or name another state directory with --state"
            raise Unavailable(f"cannot write in {self.directory}: {error.strerror}", hint=hint) from error

    def label(self, labels: ContainerLabels) -> dict[str, str]:
        """The labels of a container, with those of the state directory that it belongs to."""
        return labels.write(self.id(), str(self.directory.resolve().parent))

    @property
    def _file(self) -> Path:
        return self.directory / _FILE

    @property
    def _containers(self) -> Path:
        return self.directory / _CONTAINERS
