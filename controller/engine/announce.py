"""Kubernetes Events (`events.k8s.io/v1`) about units: for people with `kubectl`, best effort, and never a pass's business."""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.engine.happenings import Happening
from controller.model import labels
from controller.model.errors import PointsmanError
from controller.model.identity import ObjectKey, content_hash
from controller.model.objects import API_VERSIONS
from controller.model.ports import ClusterClient

MOST_WAITING = 1000
MOST_KNOWN = 5000
_MOST_NOTE = 1024
"""Bytes of an Event's `note` that the API server accepts."""
SERIES = 3600.0
"""Seconds for which the same happening is one Event with a count: so long the API server keeps one by default."""
_CONTROLLER = "pointsman.dev/controller"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """A happening with what it is about."""

    happening: Happening
    about: ObjectKey
    uid: str


@dataclass(slots=True)
class _Series:
    first: float
    count: int = 1


class Announcer:
    """Writes Events from a thread of its own; when too many wait, the newest are lost."""

    def __init__(self, client: ClusterClient, instance: str) -> None:
        self._client = client
        self._instance = instance
        self._waiting: queue.Queue[Told | None] = queue.Queue(MOST_WAITING)
        self._series: dict[str, _Series] = {}
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what waits, as far as there is time for it."""
        try:
            self._waiting.put(None, timeout=timeout)
        except queue.Full:
            return
        if self._thread.is_alive():
            self._thread.join(timeout)

    def tell(self, told: Told) -> None:
        try:
            self._waiting.put_nowait(told)
        except queue.Full:
            _log.debug("an Event about %s was lost: %d wait already", told.about, MOST_WAITING)

    def _run(self) -> None:
        while (told := self._waiting.get()) is not None:
            try:
                self._client.apply(self._event(told))
            except PointsmanError as error:
                _log.info("an Event about %s cannot be written: %s", told.about, error.message)
            except Exception:
                # A fault of ours: without this thread no Event would ever be written again.
                _log.exception("an Event about %s", told.about)

    def _event(self, told: Told) -> dict[str, Any]:
        """The object; what happens again gets the name, and so the place, of its first Event."""
        now, happening = time.time(), told.happening
        digest = content_hash([str(told.about), happening.reason, happening.message], 16)
        series = self._series.get(digest)
        if series is None or now > series.first + SERIES:
            if len(self._series) >= MOST_KNOWN:
                self._series.clear()
            series = self._series[digest] = _Series(now)
        else:
            series.count += 1
        event = _document(told, f"{digest}.{int(series.first * 1000):x}", series.first, self._instance)
        if series.count > 1:
            event["series"] = {"count": series.count, "lastObservedTime": _moment(now)}
        return event


def _document(told: Told, suffix: str, first: float, instance: str) -> dict[str, Any]:
    happening, about = told.happening, told.about
    regarding = {"kind": about.kind, "namespace": about.namespace, "name": about.name, "uid": told.uid}
    return {
        "apiVersion": API_VERSIONS["Event"],
        "kind": "Event",
        "metadata": {
            "name": f"{about.name[:180]}.{suffix}",
            "namespace": about.namespace,
            "labels": {labels.MANAGED_BY: "pointsman"},
        },
        "eventTime": _moment(first),
        "reportingController": _CONTROLLER,
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": happening.reason[:128],
        "type": "Warning" if happening.is_warning else "Normal",
        "note": happening.message.encode()[:_MOST_NOTE].decode(errors="ignore"),
        "regarding": {"apiVersion": API_VERSIONS[about.kind], **{key: value for key, value in regarding.items() if value}},
    }


def _moment(seconds: float) -> str:
    """A MicroTime."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
