"""The embedded cluster of another process: a `ClusterClient` over its Unix socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from controller.embedded.protocol import SILENCE, encode, receive, restore
from controller.model.errors import Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import Object
from controller.model.ports import EventType, Labels, Listing, WatchEvent


class RemoteStore:
    """Safe for many threads: each request has a connection of its own. Raises what the store there raised.

    A server that is gone or goes away gives `Unavailable` at once.
    """

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    @classmethod
    def at(cls, pointer: Path) -> RemoteStore:
        """The store whose socket is named in the file `pointer` (`StateDirectory.socket`). Raises `Unavailable`."""
        try:
            return cls(Path(os.fsdecode(pointer.read_bytes())))
        except OSError as error:
            raise Unavailable(f"no controller has its socket named in {pointer}: {error.strerror}") from error

    def get(self, key: ObjectKey) -> Object | None:
        found: Object | None = self._ask({"verb": "get", "key": str(key)})
        return found

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        found = self._ask({"verb": "list", "kind": kind, "namespace": namespace, "labels": _dict(labels)})
        return Listing(tuple(found["items"]), found["resourceVersion"])

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        stored: Object = self._ask({"verb": "apply", "object": obj, "manager": manager, "dry_run": dry_run})
        return stored

    def delete(self, key: ObjectKey, *, uid: str | None = None, resource_version: str | None = None) -> None:
        self._ask({"verb": "delete", "key": str(key), "uid": uid, "resource_version": resource_version})

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        request = {
            "verb": "watch",
            "kind": kind,
            "resource_version": resource_version,
            "labels": _dict(labels),
            "timeout": timeout,
        }
        lines = self._follow(request)
        next(lines)  # the server's first line says that the version is not too old
        return (_event(line["event"]) for line in lines if "event" in line)

    def call(self, name: str, payload: Any = None, *, timeout: float = SILENCE) -> Any:
        """One of the controller's own verbs; `timeout` in seconds."""
        return self._ask({"verb": "call", "name": name, "payload": payload}, timeout)

    def _ask(self, request: Mapping[str, Any], timeout: float = SILENCE) -> Any:
        with self._connect(request, timeout) as stream:
            return self._next(stream)["result"]

    def _follow(self, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        with self._connect(request, SILENCE) as stream:
            while "result" not in (line := self._next(stream)):
                yield line

    def _next(self, stream: BinaryIO) -> Mapping[str, Any]:
        answer = receive(stream)
        if answer is None:
            raise Unavailable(f"the controller behind {self._path} went away")
        if "error" in answer:
            raise restore(answer["error"])
        return answer

    @contextmanager
    def _connect(self, request: Mapping[str, Any], timeout: float) -> Iterator[BinaryIO]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(timeout)
                connection.connect(str(self._path))
                connection.sendall(encode(request))
                with connection.makefile("rb") as stream:
                    yield stream
        except OSError as error:
            hint = "is it still running? start it again with: pointsman up"
            raise Unavailable(f"no answer from {self._path}: {error.strerror or error}", hint=hint) from error


def _dict(labels: Labels | None) -> dict[str, str] | None:
    return None if labels is None else dict(labels)


def _event(line: Mapping[str, Any]) -> WatchEvent:
    return WatchEvent(EventType(line["type"]), line["object"])
