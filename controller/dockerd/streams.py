"""What an Engine says while it builds, pulls, pushes or loads: lines of JSON, the last of which may be its failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from controller.dockerd.connection import engine_errors
from controller.dockerd.refusals import refusal

Line = Mapping[str, Any]


def read_stream(begin: Callable[[], Iterable[Line]], attempt: str) -> Iterator[Line]:
    """The lines of what `begin` starts: an SDK call with `decode=True`. A failure inside is raised; nothing else would tell.

    `attempt` completes "the Docker Engine cannot".
    """
    failure = ""
    with engine_errors(attempt):
        for line in begin():
            # What follows a failure is read too: only a stream that was read to its end gives its connection back.
            failure = failure or _failure(line)
            if not failure:
                yield line
    if failure:
        raise refusal(failure, attempt)


def _failure(line: Line) -> str:
    if "error" not in line and "errorDetail" not in line:
        return ""
    return str((line.get("errorDetail") or {}).get("message") or line.get("error") or "it failed without a word")
