"""Reads git's objects: many reads share one `git cat-file --batch`; trees are parsed here and remembered."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import Popen
from types import TracebackType
from typing import Self

from controller.model.errors import Stalled, Transient
from controller.source.git import Git, end
from controller.source.pipes import opened

BLOCK = 1 << 20
TREE_LIMIT = 16 << 20
"""Bytes of one directory: about 300,000 files. A larger one is an attack."""

REMEMBERED_TREES = 8192
REMEMBERED_SIZES = 8192
ASKED = 256
"""Objects that are asked for before the first answer is read: questions and answers fit into the pipes (64 KiB each)."""

REGULAR, EXECUTABLE, SYMLINK, DIRECTORY, SUBMODULE = "100644", "100755", "120000", "040000", "160000"
FILES = frozenset({REGULAR, EXECUTABLE, "100664"})
_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree. `name` is as git holds it, bytes that are not UTF-8 escaped (surrogates)."""

    name: str
    mode: str
    id: str

    @property
    def is_file(self) -> bool:
        return self.mode in FILES

    @property
    def is_directory(self) -> bool:
        return self.mode == DIRECTORY


@dataclass(frozen=True, slots=True)
class Info:
    """What an object is, without its bytes."""

    type: str
    size: int


def is_id(text: str) -> bool:
    """Whether a text is a whole object id, and so safe to hand to git."""
    return bool(_ID.match(text))


class ObjectReader:
    """One repository's objects. Processes start with the first read and end by `close`; usable again after that.

    Thread-safe. Missing objects are None; a damaged repository raises.
    """

    def __init__(self, git: Git) -> None:
        self.git = git
        self._lock = threading.RLock()
        self._processes: dict[str, Popen[bytes]] = {}
        self._trees: dict[str, tuple[Entry, ...]] = {}
        self._entries: dict[Entry, Entry] = {}
        self._sized: dict[str, Info] = {}
        self._uses = self._uses_before = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; what is remembered stays."""
        with self._lock:
            for process in self._processes.values():
                end(process)
            self._processes.clear()

    def close_unused(self) -> None:
        """End the processes if nothing was read since the last call."""
        with self._lock:
            if self._uses == self._uses_before:
                self.close()
            self._uses_before = self._uses

    def info(self, id: str) -> Info | None:
        """An object's type and size."""
        with self._lock:
            return self._header("--batch-check", id)[0]

    def infos(self, ids: list[str]) -> dict[str, Info]:
        """Type and size of many objects at once, asking git for those that are new; missing ones are left out."""
        with self._lock:
            known = {asked: self._sized[asked] for asked in ids if asked in self._sized}
            found = self._asked([asked for asked in ids if asked not in known])
            self._remember(found)
        return known | found

    def _asked(self, ids: list[str]) -> dict[str, Info]:
        found: dict[str, Info] = {}
        for start in range(0, len(ids), ASKED):
            some = ids[start : start + ASKED]
            process = self._ask("--batch-check", *some)
            answers = [self._answer(process, asked) for asked in some]
            found.update((asked, info) for asked, info in zip(some, answers, strict=True) if info)
        return found

    def _remember(self, found: dict[str, Info]) -> None:
        """Sizes that `blocks` need not ask for again."""
        if len(self._sized) + len(found) > REMEMBERED_SIZES:
            self._sized.clear()
        if len(found) <= REMEMBERED_SIZES:
            self._sized.update(found)

    def blob(self, id: str, limit: int) -> bytes | None:
        """A file's bytes; None when it is missing, no file, or larger than `limit`."""
        with self._lock:
            info = self.info(id)
            return self._contents(id) if info and info.type == "blob" and info.size <= limit else None

    def blocks(self, id: str) -> Iterator[bytes]:
        """A file's bytes of any size, in blocks. Raises `Stalled` when it is missing."""
        info = self._sized.get(id) or self.info(id)
        if info is None or info.type != "blob":
            raise Stalled(f"git object {id} is missing", hint="git fsck")
        if info.size <= BLOCK:
            yield self._small(id)
        else:
            yield from self._large(id, info.size)

    def tree(self, id: str) -> tuple[Entry, ...]:
        """A directory's entries in git's order. Raises `Stalled` when it is missing."""
        with self._lock:
            known = self._trees.get(id)
            return known if known is not None else self._read_tree(id)

    def tree_of(self, commit: str) -> str | None:
        """The tree of a commit, or None where the id is no commit of this repository."""
        with self._lock:
            info = self.info(commit)
            if info is None or info.type != "commit" or info.size > TREE_LIMIT:
                return None
            return self._contents(commit).split(b"\n", 1)[0].removeprefix(b"tree ").decode()

    def find(self, tree: str, path: str) -> Entry | None:
        """The entry at a path below a tree; a symbolic link on the way is not followed."""
        entry = Entry("", DIRECTORY, tree)
        for part in path.split("/"):
            if not entry.is_directory:
                return None
            found = next((e for e in self.tree(entry.id) if e.name == part), None)
            if found is None:
                return None
            entry = found
        return entry

    def _read_tree(self, id: str) -> tuple[Entry, ...]:
        info = self.info(id)
        if info is None or info.type != "tree" or info.size > TREE_LIMIT:
            raise Stalled(f"git tree {id} is missing or too large", hint="git fsck")
        if len(self._trees) >= REMEMBERED_TREES:
            self._trees.clear()
            self._entries.clear()
        entries = tuple(self._entries.setdefault(e, e) for e in _tree_entries(self._contents(id), len(id) // 2))
        self._trees[id] = entries
        return entries

    def _small(self, id: str) -> bytes:
        with self._lock:
            return self._contents(id)

    def _large(self, id: str, size: int) -> Iterator[bytes]:
        """A process of its own: the reader may stop anywhere, or be slow."""
        process = self.git.start("cat-file", "blob", _checked(id))
        try:
            while block := opened(process.stdout).read(BLOCK):
                size -= len(block)
                yield block
            if size:
                raise Transient(f"git object {id} ended {size} bytes early")
        finally:
            end(process)

    def _contents(self, id: str) -> bytes:
        info, stream = self._header("--batch", id)
        if info is None:
            raise Transient(f"git object {id} vanished while it was read")
        data = opened(stream.stdout).read(info.size + 1)
        if len(data) != info.size + 1:
            raise self._broken(id)
        return data[:-1]

    def _header(self, mode: str, id: str) -> tuple[Info | None, Popen[bytes]]:
        process = self._ask(mode, id)
        return self._answer(process, id), process

    def _ask(self, mode: str, *ids: str) -> Popen[bytes]:
        """Ask for all of these, `ASKED` at most; the answers come in the same order."""
        process = self._processes.get(mode) or self._processes.setdefault(mode, self.git.start("cat-file", mode, stdin=True))
        request = opened(process.stdin)
        self._uses += 1
        try:
            request.write("".join(f"{_checked(asked)}\n" for asked in ids).encode())
            request.flush()
        except BrokenPipeError as error:
            raise self._broken(ids[0]) from error
        return process

    def _answer(self, process: Popen[bytes], id: str) -> Info | None:
        line = opened(process.stdout).readline()
        if not line.startswith(id.encode()):  # ended, or out of step since a read was interrupted
            raise self._broken(id)
        return _parsed(line)

    def _broken(self, id: str) -> Transient:
        self.close()
        return Transient(f"git cat-file ended while it read {id}")


def _checked(id: str) -> str:
    if not is_id(id):
        raise Stalled(f"{id!r} is not a git object id")
    return id


def _parsed(line: bytes) -> Info | None:
    """`<id> <type> <size>`, or `<id> missing`."""
    parts = line.split()
    return Info(parts[1].decode(), int(parts[2])) if len(parts) == 3 else None


def _tree_entries(data: bytes, id_length: int) -> Iterator[Entry]:
    """`<mode> <name>`, a zero byte and the binary id, repeated (gitformat-pack)."""
    position = 0
    while position < len(data):
        space = data.index(b" ", position)
        end_of_name = data.index(b"\0", space)
        object_id = data[end_of_name + 1 : end_of_name + 1 + id_length].hex()
        name = data[space + 1 : end_of_name].decode(errors="surrogateescape")
        yield Entry(name, data[position:space].decode().zfill(6), object_id)
        position = end_of_name + 1 + id_length
