"""What git says in the directory of the command, for targets that are only looked at."""

from __future__ import annotations

from controller.cli.context import find_place
from controller.loading.loader import load
from controller.model.declared import DeclaredState
from controller.source.local import WorkingDirectory


class Here:
    """What git says in the directory of the command, read again only when it changed: where aliases are to lead."""

    def __init__(self) -> None:
        self._place = find_place(None, None)
        self._source: WorkingDirectory | None = None
        self._known: tuple[str, DeclaredState] | None = None

    @property
    def source(self) -> str:
        return str(self._place.source)

    def declared(self) -> DeclaredState | None:
        """What is committed; None where nothing is declared. Raises what the source raises."""
        if not self._place.has_declared_tree:
            return None
        if self._source is None:
            place = self._place
            self._source = WorkingDirectory(
                place.source, directory=place.declared_directory, state=place.state.git, committed=True
            )
        token = self._source.token()
        if self._known is None or self._known[0] != token:
            self._known = token, load(self._source.snapshot())
        return self._known[1]

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
