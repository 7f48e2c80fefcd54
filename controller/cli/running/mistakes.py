"""Logs the mistakes of every repository: each once, when a revision brings it or a grant makes it one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from controller.cli.running.regularly import Regularly
from controller.engine.sources import Publication
from controller.model.diagnostics import Diagnostic, Severity

EVERY = 0.5
"""Seconds between two looks at what is published; a look costs nothing while it is the same."""
_LEVELS = {Severity.ERROR: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.NOTE: logging.INFO}
_log = logging.getLogger(__name__)


class Mistakes(Regularly):
    """A context manager; inside it, what `published` answers with is followed."""

    def __init__(self, published: Callable[[], Iterable[Publication]]) -> None:
        super().__init__("mistakes", self._follow_all, EVERY)
        self._published = published
        self._told: dict[str, tuple[Publication, frozenset[Diagnostic]]] = {}

    def _follow_all(self) -> None:
        for publication in self._published():
            self._follow(publication)

    def _follow(self, publication: Publication) -> None:
        last, told = self._told.get(publication.origin, (None, frozenset[Diagnostic]()))
        if publication is last:
            return
        found = frozenset(publication.declared.diagnostics)
        for diagnostic in publication.declared.diagnostics:
            if diagnostic not in told:
                _log.log(
                    _LEVELS[diagnostic.severity], "%s at %s: %s", publication.origin, publication.snapshot.revision, diagnostic
                )
        if told and not found:
            _log.info("%s at %s has no mistakes any more", publication.origin, publication.snapshot.revision)
        self._told[publication.origin] = (publication, found)
