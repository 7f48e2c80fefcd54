"""Writes in batches: whoever finds no batch under way carries out everything that is queued, for all who wait.

A batch is made durable with one fsync and only then shown. So a write that failed was never seen, and many writers share
the price of the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controller.embedded.events import Transition
from controller.embedded.journal import Journal
from controller.embedded.table import Table
from controller.model.errors import Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import Object

_VOLATILE = frozenset({"Pod", "EndpointSlice"})


def is_durable(kind: str) -> bool:
    """Whether objects of this kind outlive a restart; the others are observed anew."""
    return kind not in _VOLATILE


@dataclass(slots=True)
class Write:
    """A write that waits for its batch. `decide` maps the object as it is, and the next version, to what it becomes.

    The same object means that there is nothing to do, None that it goes.
    """

    key: ObjectKey
    decide: Callable[[Object | None, int], Object | None]
    durable: bool
    done: bool = False
    result: Object | None = None
    error: Exception | None = None


@dataclass(slots=True)
class Batch:
    """What the writes of one batch change, over the table that everybody still sees."""

    version: int
    changes: dict[ObjectKey, Object | None] = field(default_factory=dict)
    durable: dict[ObjectKey, Object | None] = field(default_factory=dict)
    transitions: list[tuple[ObjectKey, Transition]] = field(default_factory=list)


class CommitQueue:
    """Orders all writes of one store. `publish` shows a batch; nobody else changes `table`."""

    def __init__(self, journal: Journal, table: Table, publish: Callable[[Batch], None]) -> None:
        self._journal = journal
        self._table = table
        self._publish = publish
        self._version = journal.version
        self._queue: list[Write] = []
        self._queueing = threading.Lock()
        self._committing = threading.Lock()
        self._closed = False

    def submit(self, write: Write) -> Object | None:
        """Return when the write is done and durable. Raises its own error, or `Unavailable` when the disk fails."""
        with self._queueing:
            self._queue.append(write)
        with self._committing:
            if not write.done:
                with self._queueing:
                    batch, self._queue = self._queue, []
                self._commit_or_refuse(batch)
        if write.error is not None:
            raise write.error
        return write.result

    def close(self) -> None:
        """Finish the batch under way; every later write raises `Unavailable`."""
        with self._committing:
            self._closed = True
            self._journal.close()

    def _commit_or_refuse(self, writes: Sequence[Write]) -> None:
        try:
            if self._closed:
                _refuse(writes, "the embedded cluster has been stopped")
            else:
                self._commit(writes)
        except BaseException:  # a signal in this thread: those who wait for the batch must not take it for done
            _refuse([w for w in writes if not w.done], "the write was interrupted")
            raise

    def _commit(self, writes: Sequence[Write]) -> None:
        """Carry out writes in order. If the disk fails, those that need it fail and the others go on without them."""
        batch = Batch(self._version)
        for write in writes:
            self._decide(write, batch)
        try:
            if batch.durable:
                self._journal.append(batch.durable, batch.version)
        except OSError as error:
            message = f"cannot write to the store's directory: {error.strerror}"
            _refuse([w for w in writes if w.durable], message, "free some space or repair the disk; nothing was changed")
            self._commit([w for w in writes if not w.durable])
            return
        self._version = batch.version
        self._publish(batch)
        for write in writes:
            write.done = True
        self._journal.rewrite_if_grown((obj for obj in self._table if is_durable(obj["kind"])), self._version)

    def _decide(self, write: Write, batch: Batch) -> None:
        key = write.key
        live = batch.changes[key] if key in batch.changes else self._table.get(key)
        write.error = None
        try:
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


def _refuse(writes: Sequence[Write], message: str, hint: str | None = None) -> None:
    for write in writes:
        write.done = True
        write.error = Unavailable(message, hint=hint)
