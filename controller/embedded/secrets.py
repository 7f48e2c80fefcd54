"""Secrets of the embedded cluster: files `<root>/<name>/<key>` that only their owner can read, visible in every namespace.

Values are read when asked for and kept nowhere. Nothing here logs or formats a value.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.model.errors import Stalled, Unavailable
from controller.model.objects import API_VERSIONS, Object
from controller.model.secret import Secret

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
# Kubernetes' limit for all values of a Secret together.
_LARGEST = 1024 * 1024


class SecretFiles:
    """Reads and writes the files below `root`. Names starting with `..` are unfinished files of ours or of a mounted volume."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> tuple[str, ...]:
        """Every Secret that has a key, sorted."""
        return tuple(name for name in _entries(self.root, _NAME) if self.keys(name))

    def keys(self, name: str) -> frozenset[str]:
        """The keys of a Secret; none where it is not there."""
        return frozenset(_entries(self.root / _checked(name), _KEY))

    def set(self, name: str, key: str, value: Secret) -> None:
        """Write one value; a reader sees the old or the new one, never a part. Raises `Stalled` for a bad name or size."""
        content = value.reveal().encode()
        if len(content) > _LARGEST:
            raise Stalled(f"the value for key {key} of Secret {name} is larger than {_LARGEST} bytes")
        path = self.root / _checked(name) / _checked_key(key)
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _replace(path, content)
        except OSError as error:
            raise Unavailable(f"cannot write key {key} of Secret {name}: {error.strerror}") from error

    def delete(self, name: str, key: str | None = None) -> None:
        """Remove one key, or the whole Secret; what is not there is deleted already."""
        directory = self.root / _checked(name)
        for one in [_checked_key(key)] if key is not None else self.keys(name):
            (directory / one).unlink(missing_ok=True)
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()

    def get(self, name: str, namespace: str) -> Object | None:
        """The Secret as an object of that namespace, values in base64, or None."""
        values = {key: self._read(name, key) for key in sorted(self.keys(name))}
        return _object(name, namespace, values) if values else None

    def _read(self, name: str, key: str) -> bytes:
        path = self.root / name / key
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST + 1)
        except OSError as error:
            raise Unavailable(f"cannot read key {key} of Secret {name} ({path}): {error.strerror}") from None
        if len(content) > _LARGEST:
            raise Stalled(f"key {key} of Secret {name} is larger than {_LARGEST} bytes", hint=f"shorten {path}")
        return content


def _object(name: str, namespace: str, values: Mapping[str, bytes]) -> dict[str, Any]:
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    version = hashlib.sha256(repr(data).encode()).hexdigest()[:16]
    identity = hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:32]
    metadata = {"name": name, "namespace": namespace, "uid": identity, "resourceVersion": version}
    return {"apiVersion": API_VERSIONS["Secret"], "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


def _entries(directory: Path, pattern: re.Pattern[str]) -> list[str]:
    try:
        found = [entry.name for entry in os.scandir(directory)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in found if pattern.fullmatch(name) and not name.startswith(".."))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Stalled(f"{name[:80]!r} is not the name of a Secret", hint="lower case letters, digits and -")
    return name


def _checked_key(key: str) -> str:
    if not _KEY.fullmatch(key) or key.startswith("..") or key == ".":
        raise Stalled(f"{key[:80]!r} is not a key of a Secret", hint="letters, digits, -, _ and .")
    return key


def _replace(path: Path, content: bytes) -> None:
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix="..")  # mkstemp's mode is 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
