"""The daemon's log on stderr: one JSON object per line for a cluster's log store, plain lines for a terminal."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_FORMAT = "%(asctime)s %(levelname).1s %(threadName)s %(message)s"
_QUIET = ("httpx2", "httpcore2", "watchdog", "git", "kubernetes", "urllib3")


class JsonLines(logging.Formatter):
    """Time, level, logger, thread and message of a record; of an exception its traceback, in the same line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


def start_logging(form: str | None, *, verbose: bool) -> None:
    """Log to stderr; `form` None chooses by where that leads."""
    chosen = form or ("console" if sys.stderr.isatty() else "json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if chosen == "json" else logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
