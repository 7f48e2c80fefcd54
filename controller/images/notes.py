"""What was found out about an image or a digest once and follows from it: small documents in the cache."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.images.durable import exclusive, write_durably, write_whole
from controller.model.errors import Stalled

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Notes:
    """Notes by digest and name. Losing one costs a look."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def note(self, digest: str, name: str) -> dict[str, Any] | None:
        """What was found out about a digest before, by `name`."""
        return _read(self._path(digest, name))

    def remember(self, digest: str, name: str, value: Mapping[str, Any], *, durable: bool = True) -> None:
        """Keep something that follows from a digest; what can be asked again need not survive a crash of the machine."""
        path = self._path(digest, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write = write_durably if durable else write_whole
        with exclusive(self._cache / "locks" / f"base-{path.name}"):
            write(path, json.dumps(value).encode())

    def forget(self, name: str, before: float) -> None:
        """Drop the notes of this `name` that are older than a time (seconds since the epoch); they are found out anew."""
        for digest in self.older(name, before):
            self.drop(digest, name)

    def older(self, name: str, before: float) -> list[str]:
        """The digests of such notes."""
        return [f"sha256:{path.name[:64]}" for path in self._folder.glob(f"*-{name}.json") if _written_at(path) < before]

    def drop(self, digest: str, name: str) -> None:
        """Forget one note."""
        self._path(digest, name).unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self._cache / "bases"

    def _path(self, digest: str, name: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise Stalled(f"{digest!r} is not a digest", hint="a digest is `sha256:` and 64 hexadecimal digits")
        return self._folder / f"{match[1]}-{name}.json"


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None
