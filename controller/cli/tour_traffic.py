"""Clients that keep sending to aliases while a tour releases, and check every answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx2

from controller.model import labels

_TIMEOUT = 60.0
_LOOK_EVERY = 0.01
_KEPT_FAILURES = 20
Check = Callable[[str, httpx2.Response], bool]
"""(version that the answer's header names, answer): whether the body is that version's."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one client sends again and again, `pause` seconds after each answer."""

    alias: str
    endpoint: str
    url: str
    fits: Check
    pause: float
    picture: bytes | None = None

    @property
    def name(self) -> str:
        return f"{self.alias}/{self.endpoint}"


@dataclass(frozen=True, slots=True)
class Seen:
    """At `at` (steady clock) answers of `name` began to come from `version`."""

    at: float
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests since the beginning."""

    sent: int = 0
    failed: int = 0

    def since(self, earlier: Counts) -> Counts:
        return Counts(self.sent - earlier.sent, self.failed - earlier.failed)


class Traffic:
    """A keep-alive client with a thread for each question. A context manager; safe to ask from any thread."""

    def __init__(self, questions: Mapping[str, Question]) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._counts = Counts()
        self._latest: dict[str, str] = {}
        self._changes: list[Seen] = []
        self._failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._send, args=(question,), name=f"client-{name}", daemon=True)
            for name, question in questions.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def counts(self) -> Counts:
        with self._lock:
            return self._counts

    @property
    def failures(self) -> tuple[str, ...]:
        """The first failures, in words."""
        with self._lock:
            return tuple(self._failures)

    def changes(self, since: float) -> tuple[Seen, ...]:
        """Each time that a URL's answers began to come from another version."""
        with self._lock:
            return tuple(seen for seen in self._changes if seen.at >= since)

    def await_versions(self, wanted: Mapping[str, str], since: float, deadline: float) -> float | None:
        """When the last of the URLs (`alias/endpoint`) answered with its version, or None if one never did."""
        while time.monotonic() < deadline:
            found = {seen.name: seen.at for seen in self.changes(since) if wanted.get(seen.name) == seen.version}
            if found.keys() == wanted.keys():
                return max(found.values())
            time.sleep(_LOOK_EVERY)
        return None

    def _send(self, question: Question) -> None:
        with httpx2.Client(timeout=_TIMEOUT, trust_env=False) as client:
            while not self._stop.wait(question.pause):
                self._count(question, *_ask(client, question))

    def _count(self, question: Question, version: str, failure: str | None) -> None:
        with self._lock:
            self._counts = Counts(self._counts.sent + 1, self._counts.failed + (failure is not None))
            if failure is not None:
                if len(self._failures) < _KEPT_FAILURES:
                    self._failures.append(f"{question.name}: {failure}")
            elif self._latest.get(question.name) != version:
                self._latest[question.name] = version
                self._changes.append(Seen(time.monotonic(), question.name, version))


def _ask(client: httpx2.Client, question: Question) -> tuple[str, str | None]:
    """The version that answered, and what is wrong with the answer."""
    try:
        if question.picture is None:
            answer = client.get(question.url)
        else:
            answer = client.post(question.url, content=question.picture, headers={"Content-Type": "image/png"})
    except httpx2.HTTPError as error:
        return "", f"no answer: {error or type(error).__name__}"
    version = answer.headers.get(labels.HEADER_VERSION, "")
    if answer.status_code != 200:
        return version, f"status {answer.status_code}: {answer.text[:200]!r}"
    if not question.fits(version, answer):
        return version, f"the header names {version or 'no version'}, the body is another's: {answer.text[:200]!r}"
    return version, None
