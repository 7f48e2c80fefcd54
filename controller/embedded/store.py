"""The embedded cluster's objects: a `ClusterClient` in this process, durable in one directory.

Writers queue; whoever finds no batch under way carries out everything that is queued, makes it durable with one fsync and
only then shows it. So a write that failed was never seen, and many writers share the price of the disk.
Status, Pods and EndpointSlices are kept in memory only: they are observed anew after a restart.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controller.embedded.events import Dispatcher, EventLog, Transition
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

_VOLATILE = frozenset({"Pod", "EndpointSlice"})
_SECRETS_ARE_FILES = "put the value into the file <state>/secrets/<name>/<key>"


@dataclass(slots=True)
class _Write:
    """A write that waits for its batch. `decide` maps the object as it is to what it becomes (the same: nothing to do)."""

    key: ObjectKey
    decide: Callable[[Object | None, int], Object | None]
    durable: bool
    done: bool = False
    result: Object | None = None
    error: Exception | None = None


@dataclass(slots=True)
class _Batch:
    """What the writes of one batch change, over the table that everybody still sees."""

    version: int
    changes: dict[ObjectKey, Object | None] = field(default_factory=dict)
    durable: dict[ObjectKey, Object | None] = field(default_factory=dict)
    transitions: list[tuple[ObjectKey, Transition]] = field(default_factory=list)


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
        self._journal = Journal(path)
        self._version = start = self._journal.version
        for key, obj in self._journal.objects.items():
            self._table.set(key, obj)
        self._journal.objects.clear()
        self._logs: defaultdict[str, EventLog] = defaultdict(lambda: EventLog(start, history))
        self._dispatcher = Dispatcher()
        self._changed = threading.Condition()
        self._committing = threading.Lock()
        self._queue: list[_Write] = []
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Finish the batch under way, end every watch and subscriber. Calls after this raise `Unavailable`."""
        with self._committing:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._journal.close()
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
            return next_object(live, config, manager, version=version, now=self._now(), uid=str(uuid.uuid4()))

        if dry_run:
            with self._changed:
                self._check_open()
                return decide(self._table.get(key), self._version)
        return self._present(key, self._submit(_Write(key, decide, key.kind not in _VOLATILE)))

    def set_status(self, key: ObjectKey, status: Object) -> Object:
        """Replace an object's `status`; nothing happens when it is equal. Raises `Conflict` when the object is not there."""
        wanted = plain(status)

        def decide(live: Object | None, version: int) -> Object:
            current = self._present(key, live)
            if current.get("status") == wanted:
                return current
            return put({**current, "status": wanted}, str(version), "metadata", "resourceVersion")

        return self._present(key, self._submit(_Write(key, decide, durable=False)))

    def delete(self, key: ObjectKey, *, uid: str | None = None, resource_version: str | None = None) -> None:
        check_kind(key.kind)
        if key.kind in ("Namespace", "Secret"):
            raise Stalled(f"{key}: the embedded cluster deletes no {key.kind}s")

        def decide(live: Object | None, _version: int) -> None:
            if live is not None and uid is not None and at(live, "metadata", "uid") != uid:
                raise Conflict(f"{key} is another object now: its uid is not {uid}")
            if live is not None and resource_version is not None:
                _check_version(key, live, resource_version)

        self._submit(_Write(key, decide, key.kind not in _VOLATILE))

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

    def _submit(self, write: _Write) -> Object | None:
        with self._changed:
            self._queue.append(write)
        with self._committing:
            if not write.done:
                with self._changed:
                    batch, self._queue = self._queue, []
                self._commit_or_refuse(batch)
        if write.error is not None:
            raise write.error
        return write.result

    def _commit_or_refuse(self, writes: Sequence[_Write]) -> None:
        try:
            self._commit(writes)
        except BaseException:  # a signal in this thread: those who wait for the batch must not take it for done
            self._refuse([w for w in writes if not w.done], "the write was interrupted")
            raise

    def _commit(self, writes: Sequence[_Write]) -> None:
        """Carry out writes in order. If the disk fails, those that need it fail and the others go on without them."""
        batch = _Batch(self._version)
        try:
            for write in writes:
                self._decide(write, batch)
            if batch.durable:
                self._journal.append(batch.durable, batch.version)
        except OSError as error:
            message = f"cannot write to the store's directory: {error.strerror}"
            self._refuse([w for w in writes if w.durable], message, "free some space or repair the disk; nothing was changed")
            self._commit([w for w in writes if not w.durable])
            return
        self._publish(batch)
        for write in writes:
            write.done = True
        kept = (obj for obj in self._table if obj["kind"] not in _VOLATILE)
        self._journal.rewrite_if_grown(kept, self._version)

    def _decide(self, write: _Write, batch: _Batch) -> None:
        key = write.key
        live = batch.changes[key] if key in batch.changes else self._table.get(key)
        write.error = None
        try:
            self._check_open()
            write.result = write.decide(live, batch.version + 1)
        except Exception as error:  # the writer's own mistake must not touch the others of its batch
            write.error = error
            return
        if write.result is live:
            return
        batch.version += 1
        batch.changes[key] = write.result
        batch.transitions.append((key, Transition(batch.version, live, write.result)))
        if write.durable:
            batch.durable[key] = write.result

    def _publish(self, batch: _Batch) -> None:
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
    def _refuse(writes: Sequence[_Write], message: str, hint: str | None = None) -> None:
        for write in writes:
            write.done = True
            write.error = Unavailable(message, hint=hint)

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
