"""What an image wants installed, from its requirements or its lock, as runs of uv one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from controller.images.indexes import Indexes
from controller.images.installer import Python, Wanted
from controller.images.locked import PROJECT, Lock, by_index, no_file
from controller.images.requirement_lines import LOCK
from controller.images.requirement_rules import checked, require_all_hashes
from controller.images.requirements import Requirements, collect
from controller.images.wsgi import SERVER, wsgi_requirements
from controller.loading.printable import shown, without_logins
from controller.model.errors import Stalled

Export = Callable[[Path, str | None], str]
"""What a lock in a directory says for a group of dependencies, as requirements."""


class FromRequirements:
    """Files as pip reads them. Raises Stalled, as soon as it is made, for lines that may not be there."""

    def __init__(self, found: Requirements, python: Python, indexes: Indexes | None, *, wsgi: bool) -> None:
        require_all_hashes(found)
        self._found = checked(found, only_wheels=python.only_wheels, indexes=indexes)
        self._indexes = indexes
        server = wsgi and SERVER not in found.names
        self._server = wsgi_requirements(python.version, found.names if found.is_hashed else None) if server else ()
        self.needs_code = found.needs_code

    @property
    def inputs(self) -> list[Any]:
        """What decides of the outcome."""
        return [self._found.files, list(self._server)]

    @property
    def files(self) -> dict[str, str]:
        """What has to lie at these paths of the code."""
        return self._found.files

    def runs(self, scratch: Path, tree: Path) -> Iterator[Wanted]:
        """One, or where hashes are required two: the server has none, because nobody asked for it."""
        files = [tree / self._found.main] if self._found.files else []
        if self._found.is_hashed:
            yield Wanted(files, tree, ("--require-hashes",), self._indexes)
            files = []
        if self._server:
            files.append(_written(scratch / "server.txt", "".join(f"{line}\n" for line in self._server)))
        if files:
            yield Wanted(files, tree, indexes=self._indexes)


class FromLock:
    """`uv.lock`: every package from the index that the lock names, with the bytes that it names, and nothing else."""

    def __init__(self, lock: Lock, python: Python, indexes: Indexes | None, export: Export, *, wsgi: bool) -> None:
        lock.require_python(python.version)
        self._lock = lock
        self._python = python
        self._indexes = indexes
        self._export = export
        self._wsgi = wsgi
        self.needs_code = lock.has_local and not python.only_wheels
        self.files: dict[str, str] = {}

    @property
    def inputs(self) -> list[Any]:
        """What decides of the outcome."""
        return [{LOCK: self._lock.text, PROJECT: self._lock.project}, [SERVER] if self._wsgi else []]

    def runs(self, scratch: Path, tree: Path) -> Iterator[Wanted]:
        """One for each index, and one for the server where the lock has none."""
        names: set[str] = set()
        for number, (address, text) in enumerate(by_index(self._lock, self._exported(scratch / "lock")).items()):
            found = self._usable(address, text)
            names |= found.names
            file = _written(scratch / f"lock-{number}.txt", found.files[LOCK])
            yield Wanted([file], tree, ("--no-deps",), self._indexes and self._indexes.alone(address), origin=address)
        if self._wsgi and SERVER not in names:
            server = "\n".join(wsgi_requirements(self._python.version, names))
            yield Wanted([_written(scratch / "server.txt", server)], tree, indexes=self._indexes)

    def _exported(self, place: Path) -> str:
        place.mkdir()
        _written(place / LOCK, self._lock.text)
        _written(place / PROJECT, self._lock.project)
        return self._export(place, self._lock.group)

    def _usable(self, address: str, text: str) -> Requirements:
        """What comes from one index; without hashes only from an index that is known to be the lock's own."""
        named = f"--extra-index-url {address}\n" if address and not self._indexes else ""
        found = collect(named + text, no_file, LOCK)
        if address and self._indexes and not self._indexes.at(address):
            unknown = next((line for line in found.lines if not line.is_hashed), None)
            if unknown:
                hint = "ask whoever runs the controller to add it to `dependencies.indexes` and the source's `grants.indexes`"
                place = shown(without_logins(address))
                raise Stalled(f"{unknown} has no hash, and {place} may not be used by this source", hint=hint)
        return checked(found, only_wheels=self._python.only_wheels, indexes=self._indexes)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path
