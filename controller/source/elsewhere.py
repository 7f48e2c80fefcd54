"""Other repositories that hold a project's code, as far as the configuration grants them: bare copies of their branches."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from controller.model.errors import PointsmanError, Transient
from controller.source.bare import BareCopy
from controller.source.objects import ObjectReader
from controller.source.origin import Origin


class GrantedRepositories:
    """Implements `CodeRepositories`. A granted repository that no project names is never asked.

    `local` grants paths of this machine among `urls`; `environment` carries credentials to git.
    """

    def __init__(
        self, urls: Iterable[str], *, state: Path, local: bool = False, environment: Mapping[str, str] | None = None
    ) -> None:
        copies = {url: BareCopy(url, state=state, local=local, environment=environment) for url in urls}
        self._copies = copies
        self._origins = {url: Origin(copy.objects, copy.name) for url, copy in copies.items()}
        self._lock = threading.Lock()
        self._used: set[str] = set()

    @property
    def stores(self) -> tuple[ObjectReader, ...]:
        """Where the bytes of their code lie."""
        return tuple(copy.objects for copy in self._copies.values())

    def origin(self, url: str) -> tuple[Origin, str] | None:
        """The repository behind a URL and the head of its default branch, read on first use; None where it is not granted."""
        copy = self._copies.get(url)
        if copy is None:
            return None
        with self._lock:
            self._used.add(url)
        if not copy.revision().commit:
            _refresh(copy)
        return self._origins[url], copy.revision().commit

    def refresh(self) -> bool:
        """Look at those that are in use; True when one moved. Raises the first failure, after all were looked at."""
        failures: list[PointsmanError] = []
        moved = False
        with self._lock:
            used = sorted(self._used)
        for url in used:
            try:
                moved = _refresh(self._copies[url]) or moved
            except PointsmanError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return moved

    def heads(self) -> tuple[str, ...]:
        """The revisions of those that are in use, in a stable order; costs no process."""
        with self._lock:
            return tuple(str(self._copies[url].revision()) for url in sorted(self._used))


def _refresh(copy: BareCopy) -> bool:
    def verify(commit: str) -> None:
        with copy.objects:
            if copy.objects.tree_of(commit) is None:
                raise Transient(f"{copy.name}: the commit {commit} did not arrive")

    return copy.refresh(verify)
