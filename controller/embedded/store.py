"""The embedded cluster's objects: a `ClusterClient` in this process, durable in one directory.

Status, Pods and EndpointSlices are kept in memory only: they are observed anew after a restart.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controller.embedded.commits import Batch, CommitQueue, Write, is_durable
from controller.embedded.events import Dispatcher, EventLog
from controller.embedded.journal import Journal
from controller.embedded.merge import plain
from controller.embedded.revision import next_object
from controller.embedded.secrets import SecretFiles
from controller.embedded.table import Table, carries
from controller.embedded.validation import check_kind, check_object
from controller.model.errors import Conflict, Stalled, Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import Object, at, put
from controller.model.ports import Labels, Listing, WatchEvent

_SECRETS_ARE_FILES = "put the value into the file <state>/secrets/<name>/<key>"


class EmbeddedStore:
    """The objects of one embedded cluster. Safe for many threads. Objects handed out are shared: never change them.

    `clock` gives seconds since the epoch; `history` is how many changes of each kind a watch can look back at least.
    """

    def __init__(
        self,
        path: Path,
        *,
        secrets: SecretFiles | None = None,
        clock: Callable[[], float] = time.time,
        history: int = 4096,
    ) -> None:
        self._secrets = secrets
        self._clock = clock
        self._table = Table()
        journal = Journal(path)
        self._version = start = journal.version
        for key, obj in journal.objects.items():
            self._table.set(key, obj)
        journal.objects.clear()
        self._commits = CommitQueue(journal, self._table, self._publish)
        self._logs: defaultdict[str, EventLog] = defaultdict(lambda: EventLog(start, history))
        self._dispatcher = Dispatcher()
        self._changed = threading.Condition()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Finish the batch under way, end every watch and subscriber. Calls after this raise `Unavailable`."""
        self._commits.close()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._dispatcher.close()

    def get(self, key: ObjectKey) -> Object | None:
        check_kind(key.kind)
        if key.kind == "Secret":
            return self._secrets.get(key.name, key.namespace) if self._secrets else None
        with self._changed:
            self._check_open()
            return self._table.get(key)

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        check_kind(kind)
        if kind == "Secret":
            return Listing(self._secret_objects(namespace or "", labels), str(self._version))
        with self._changed:
            self._check_open()
            return Listing(self._table.select(kind, namespace, labels), str(self._version))

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        key = check_object(obj)
        if key.kind == "Secret":
            raise Stalled(f"{key}: Secrets of the embedded cluster are files", hint=_SECRETS_ARE_FILES)
        config = plain(obj)
        expected = obj["metadata"].get("resourceVersion")

        def decide(live: Object | None, version: int) -> Object:
            _check_version(key, live, expected)
            _check_uid(key, live, obj["metadata"].get("uid"))
            return next_object(live, config, manager, version=version, now=self._now(), uid=str(uuid.uuid4()))

        if dry_run:
            with self._changed:
                self._check_open()
                return decide(self._table.get(key), self._version)
        return self._present(key, self._commits.submit(Write(key, decide, is_durable(key.kind))))

    def set_status(self, key: ObjectKey, status: Object) -> Object:
        """Replace an object's `status`; nothing happens when it is equal. Raises `Conflict` when the object is not there."""
        wanted = plain(status)

        def decide(live: Object | None, version: int) -> Object:
            current = self._present(key, live)
            if current.get("status") == wanted:
                return current
            return put({**current, "status": wanted}, str(version), "metadata", "resourceVersion")

        return self._present(key, self._commits.submit(Write(key, decide, durable=False)))

    def delete(self, key: ObjectKey, *, uid: str | None = None, resource_version: str | None = None) -> None:
        check_kind(key.kind)
        if key.kind in ("Namespace", "Secret"):
            raise Stalled(f"{key}: the embedded cluster deletes no {key.kind}s")

        def decide(live: Object | None, _version: int) -> None:
            if live is not None:
                _check_uid(key, live, uid)
            if live is not None and resource_version is not None:
                _check_version(key, live, resource_version)

        self._commits.submit(Write(key, decide, is_durable(key.kind)))

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        events = self.watch_with_pauses(kind, resource_version, labels=labels, timeout=timeout, pause=timeout)
        return (event for event in events if event is not None)

    def watch_with_pauses(
        self, kind: str, resource_version: str, *, labels: Labels | None, timeout: float, pause: float
    ) -> Iterator[WatchEvent | None]:
        """Like `watch`, with a None whenever `pause` seconds passed without a change: a moment to see who still listens."""
        check_kind(kind)
        if not resource_version.isdecimal():
            raise Stalled(f"resourceVersion {resource_version!r} is none of the embedded cluster's")
        start = int(resource_version)
        with self._changed:
            self._check_open()
            self._logs[kind].since(start)
            if start > self._version:
                raise Conflict(f"resourceVersion {start} is newer than the store", hint="list again")
        return self._follow(kind, start, labels, time.monotonic() + timeout, pause)

    def subscribe(self, callback: Callable[[WatchEvent], None]) -> Callable[[], None]:
        """Call `callback` for every later change, in order, from one thread that is not the writer's. The answer ends it."""
        return self._dispatcher.subscribe(callback)

    def _follow(
        self, kind: str, version: int, labels: Labels | None, deadline: float, pause: float
    ) -> Iterator[WatchEvent | None]:
        log = self._logs[kind]
        while (left := deadline - time.monotonic()) > 0:
            with self._changed:
                self._wait_for_change(log, version, min(left, pause))
                fresh = log.since(version)
                if self._closed and not fresh:
                    return
            for transition in fresh:
                version = transition.version
                if (event := transition.seen_with(labels)) is not None:
                    yield event
            if not fresh:
                yield None

    def _wait_for_change(self, log: EventLog, version: int, timeout: float) -> None:
        self._changed.wait_for(lambda: self._closed or log.has_after(version), timeout)

    def _publish(self, batch: Batch) -> None:
        with self._changed:
            self._version = batch.version
            for key, obj in batch.changes.items():
                self._table.set(key, obj)
            for key, transition in batch.transitions:
                self._logs[key.kind].append(transition)
                if (event := transition.seen_with(None)) is not None:
                    self._dispatcher.send(event)
            if batch.transitions:
                self._changed.notify_all()

    @staticmethod
    def _present(key: ObjectKey, obj: Object | None) -> Object:
        if obj is None:
            raise Conflict(f"{key} is not there any more")
        return obj

    def _secret_objects(self, namespace: str, labels: Labels | None) -> tuple[Object, ...]:
        names = self._secrets.names() if self._secrets else ()
        found = [self._secrets.get(name, namespace) for name in names] if self._secrets else []
        return tuple(obj for obj in found if obj is not None and carries(obj, labels))

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the embedded cluster has been stopped")

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_version(key: ObjectKey, live: Object | None, expected: Any) -> None:
    current = at(live or {}, "metadata", "resourceVersion", default="")
    if expected is not None and expected != current:
        state = f"is at resourceVersion {current}" if live else "is not there"
        wanted = f"at {expected}" if expected else "absent"
        raise Conflict(f"{key} {state}, expected it {wanted}", hint="read it again")


def _check_uid(key: ObjectKey, live: Object | None, expected: Any) -> None:
    if expected is not None and expected != at(live or {}, "metadata", "uid"):
        state = "is another object now" if live else "is not there"
        raise Conflict(f"{key} {state}: expected the one with uid {expected}", hint="read it again")
