"""What happened, for people: one JSON line per event and unit. Disposable; no decision reads it."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

_ROTATE_ABOVE = 1024 * 1024


class FileHistory:
    """Implements `HistoryStore` in a directory: a file per unit, and the one before it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._is_made = False

    def append(self, unit: str, event: Mapping[str, object]) -> None:
        """Add one event. A full disk loses history, never a pass: the caller may ignore OSError."""
        path = self._path(unit)
        with self._lock:
            if not self._is_made:
                self._directory.mkdir(parents=True, exist_ok=True)
                self._is_made = True
            if path.exists() and path.stat().st_size > _ROTATE_ABOVE:
                path.replace(path.with_suffix(".1.jsonl"))
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(dict(event), sort_keys=True) + "\n")

    def read(self, unit: str, limit: int = 50) -> Iterable[Mapping[str, object]]:
        """The newest events, newest first; a line torn by a crash is left out."""
        lines: deque[str] = deque(maxlen=limit)
        for path in (self._path(unit).with_suffix(".1.jsonl"), self._path(unit)):
            if path.exists():
                with path.open(encoding="utf-8", errors="replace") as file:
                    lines.extend(file)
        return [event for line in reversed(lines) if (event := _parsed(line)) is not None]

    def _path(self, unit: str) -> Path:
        return self._directory / (unit.replace("/", "@") + ".jsonl")


def _parsed(line: str) -> Mapping[str, object] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
