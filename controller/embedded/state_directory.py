"""Where the embedded cluster of one source keeps everything: one directory, never in the repository."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from controller.embedded.lock import Owner, owner_of
from controller.model.errors import Stalled, Unavailable

_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The paths below `root`, each for one part. Only `create` touches the disk."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def cache(self) -> Path:
        """May be deleted at any time while nobody owns the directory."""
        return self.root / "cache"

    @property
    def run(self) -> Path:
        """Replicas: their code, HOME and process files."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def git(self) -> Path:
        return self.root / "git"

    @property
    def history(self) -> Path:
        return self.root / "history"

    @property
    def socket(self) -> Path:
        """A file with the path of the owner's socket, which may lie elsewhere because such paths must be short."""
        return self.root / "socket"

    @property
    def gateway_port(self) -> Path:
        """A file with the gateway's port, chosen once."""
        return self.root / "gateway-port"

    @property
    def runtime(self) -> Path:
        """A file that says what runs the endpoints."""
        return self.root / "runtime"

    @property
    def owner(self) -> Owner | None:
        """The process that owns the directory now."""
        return owner_of(self.lock)

    def create(self) -> StateDirectory:
        """Make the directory, open to its owner alone.

        Raises `Stalled` for a directory that holds something else (it would be closed to others, and its files mixed with
        ours), `Unavailable` with the path that could not be made.
        """
        try:
            self._require_own()
            for path in (self.root, self.store, self.images, self.cache, self.run, self.logs, self.secrets, self.git):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
        except OSError as error:
            raise Unavailable(
                f"cannot make the state directory {self.root}: {error.strerror}", hint="name another one with --state"
            ) from error
        return self

    def _require_own(self) -> None:
        parts = (self.lock, self.images, self.cache, self.run, self.logs, self.secrets, self.git, self.history)
        found = {path.name for path in self.root.iterdir()} if self.root.exists() else set()
        foreign = found - {path.name for path in parts}
        if foreign and self.store.name not in found:
            raise Stalled(
                f"{self.root} is no state directory: it holds {min(foreign)}", hint="name a new or an empty one with --state"
            )


def locate(source: Path, *, explicit: Path | None, xdg_state_home: Path) -> StateDirectory:
    """The state directory of a source (a repository's directory), whether it exists or not; `explicit` is `--state`."""
    if explicit is not None:
        return StateDirectory(explicit.expanduser().resolve())
    real = source.resolve()
    name = _UNUSUAL.sub("-", real.name)[:60] or "root"
    return StateDirectory(xdg_state_home / "pointsman" / f"{name}-{hashlib.sha256(bytes(real)).hexdigest()[:8]}")


def find_running(start: Path, *, xdg_state_home: Path) -> StateDirectory | None:
    """The state directory with an owner whose source is `start` or the nearest directory above it."""
    real = start.resolve()
    for source in (real, *real.parents):
        state = locate(source, explicit=None, xdg_state_home=xdg_state_home)
        if state.owner is not None:
            return state
    return None
