"""The store for other processes of the same user, on a Unix socket."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from controller.embedded.protocol import LARGEST_REQUEST, PAUSE, SILENCE, describe, encode, receive
from controller.embedded.store import EmbeddedStore
from controller.model.errors import PointsmanError, Stalled, Unavailable
from controller.model.identity import ObjectKey

_log = logging.getLogger(__name__)

# sun_path holds 104 bytes on macOS, 108 on Linux, with a zero at the end.
_LONGEST_PATH = 100
_MOST_CLIENTS = 200
_PRIVATE = "pointsman-"
# Seconds to wait at the end for a verb that is still at work; its client is cut off by then.
_PATIENCE = 5.0
# Seconds before another try where the system gave no descriptor or thread.
_BREATH = 0.2

Verb = Callable[[Any], Any]


class StoreServer:
    """Serves `store` and the `extra` verbs (payload in, JSON out) until `close`; `pointer` is the file that names the socket.

    One thread per connection: a request is short, and of watches there are few.
    """

    def __init__(self, store: EmbeddedStore, pointer: Path, extra: Mapping[str, Verb] | None = None) -> None:
        self._store = store
        self._pointer = pointer
        self._extra = dict(extra or {})
        self._verbs: Mapping[str, Verb] = {
            "get": self._get, "list": self._list, "apply": self._apply, "delete": self._delete, "call": self._call,
        }  # fmt: skip
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._closed = threading.Event()
        _remove_left(pointer)
        self._listener, self.path, self._own_directory = _listen(pointer.parent)
        self._acceptor = threading.Thread(target=self._accept, name="store-server", daemon=True)
        self._acceptor.start()
        try:
            _publish(pointer, self.path)
        except OSError as error:
            self.close()
            raise Unavailable(f"cannot write {pointer}: {error.strerror}") from error

    def register(self, name: str, verb: Verb) -> None:
        """Offer one more verb from now on."""
        self._extra[name] = verb

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and cut every connection, so that clients see `Unavailable` at once."""
        with self._lock:
            self._closed.set()
            threads = list(self._connections.values())
            for connection in self._connections:
                _shut(connection)
        _shut(self._listener)  # wakes `accept` on Linux; elsewhere the connection below does
        _knock(self.path)
        self._acceptor.join()
        self._listener.close()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(_PATIENCE)
        self._pointer.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        if self._own_directory:
            shutil.rmtree(self.path.parent, ignore_errors=True)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
                self._welcome(connection)
            except (OSError, RuntimeError):  # out of descriptors or threads
                if not self._closed.wait(_BREATH):
                    _log.exception("cannot take a connection; the next one may work")

    def _welcome(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(connection,), name="store-client", daemon=True)
        with self._lock:
            if self._closed.is_set() or len(self._connections) >= _MOST_CLIENTS:
                connection.close()
                return
            try:
                thread.start()
            except RuntimeError:
                connection.close()
                raise
            self._connections[connection] = thread

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(SILENCE)
        try:
            with connection.makefile("rb") as stream:
                self._answer(connection, stream)
        except OSError:
            _log.debug("a client of the store went away")
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _answer(self, connection: socket.socket, stream: BinaryIO) -> None:
        try:
            request = receive(stream, LARGEST_REQUEST)
            if request is None:
                return
            for line in self._lines(request):
                connection.sendall(encode(line))
        except PointsmanError as error:
            connection.sendall(encode({"error": describe(error)}))
        except OSError:
            raise
        except Exception:
            _log.exception("a request to the store failed")
            failed = Unavailable("the controller failed to answer", hint="its log says why")
            connection.sendall(encode({"error": describe(failed)}))

    def _lines(self, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        verb = str(request.get("verb"))
        if verb == "watch":
            yield from self._watch(request)
            yield {"result": None}
        elif verb in self._verbs:
            yield {"result": self._verbs[verb](request)}
        else:
            raise Stalled(f"the controller has no verb {verb[:80]!r}", hint="it may be of another version: restart it")

    def _get(self, request: Mapping[str, Any]) -> Any:
        return self._store.get(ObjectKey.parse(request["key"]))

    def _list(self, request: Mapping[str, Any]) -> Any:
        listing = self._store.list(request["kind"], namespace=request["namespace"], labels=request["labels"])
        return {"items": listing.items, "resourceVersion": listing.resource_version}

    def _apply(self, request: Mapping[str, Any]) -> Any:
        return self._store.apply(request["object"], manager=request["manager"], dry_run=request["dry_run"])

    def _delete(self, request: Mapping[str, Any]) -> Any:
        key = ObjectKey.parse(request["key"])
        self._store.delete(key, uid=request["uid"], resource_version=request["resource_version"])

    def _call(self, request: Mapping[str, Any]) -> Any:
        name = str(request["name"])
        if name not in self._extra:
            raise Stalled(f"the controller has no verb {name[:80]!r}", hint="it may be of another version: restart it")
        return self._extra[name](request["payload"])

    def _watch(self, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        events = self._store.watch_with_pauses(
            request["kind"],
            request["resource_version"],
            labels=request["labels"],
            timeout=float(request["timeout"]),
            pause=PAUSE,
        )
        yield {}
        for event in events:
            yield {"event": {"type": event.type, "object": event.object}} if event else {}


def _listen(directory: Path) -> tuple[socket.socket, Path, bool]:
    """A listening socket in `directory`, or in a private directory of the temporary one where that path is too long."""
    path = directory / "controller.sock"
    elsewhere = len(os.fsencode(path)) > _LONGEST_PATH
    if elsewhere:
        path = Path(tempfile.mkdtemp(prefix=_PRIVATE)) / "s"
    path.unlink(missing_ok=True)  # of an owner that was killed: the caller holds the owner's lock
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(64)
    except OSError as error:
        listener.close()
        if elsewhere:
            shutil.rmtree(path.parent, ignore_errors=True)
        raise Unavailable(f"cannot listen on {path}: {error.strerror or error}") from error
    return listener, path, elsewhere


def _remove_left(pointer: Path) -> None:
    """The private directory of an owner that was killed, which the pointer still names."""
    with contextlib.suppress(OSError):
        directory = Path(os.fsdecode(pointer.read_bytes())).parent
        if directory.name.startswith(_PRIVATE) and directory.parent == Path(tempfile.gettempdir()):
            shutil.rmtree(directory, ignore_errors=True)


def _publish(pointer: Path, path: Path) -> None:
    unfinished = pointer.with_name(f"{pointer.name}.new")
    unfinished.write_bytes(os.fsencode(path))
    unfinished.replace(pointer)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _knock(path: Path) -> None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(1)
        knocking.connect(str(path))
