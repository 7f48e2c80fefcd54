"""YAML bytes to a tree with places. Whatever the bytes are, the answer is a tree or problems, never an exception.

Built from libyaml's events, so that a bomb is noticed while it is read: PyYAML's own loaders let duplicate keys win
silently, turn `20181002.10` into a float and expand aliases without a limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import yaml

from controller.loading.merge_keys import MERGE, Entry, MergeError, merged
from controller.loading.nodes import ListNode, MapNode, Node, Scalar
from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_ALIASES = 64
MAX_DUPLICATES = 50
MAX_ALIASED_NODES = 20_000
"""How many nodes all aliases of a document may repeat: stops `&a [*b, *b]` towers."""

_CACHED_BYTES = 64 * 1024
_TAG_PREFIX = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "map", "seq"})
_RESOLVER = yaml.resolver.Resolver()
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic that does not know its file yet, so that equal bytes in two files are parsed once."""

    code: str
    message: str
    line: int = 0
    column: int = 0
    hint: str | None = None
    severity: Severity = Severity.ERROR

    def in_file(self, file: str, subject: Subject = PROJECT) -> Diagnostic:
        """The diagnostic of this problem."""
        return Diagnostic(self.code, self.severity, self.message, Location(file, self.line, self.column), subject, self.hint)


@dataclass(frozen=True, slots=True)
class Document:
    """The tree of one YAML document, None when it is empty or could not be read; then `problems` say why."""

    root: Node | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def is_readable(self) -> bool:
        return not any(p.severity is Severity.ERROR for p in self.problems)


def parse(data: bytes) -> Document:
    """Read one YAML document. Small documents are remembered by their bytes."""
    return _parse_cached(data) if len(data) <= _CACHED_BYTES else _parse(data)


@lru_cache(maxsize=8192)
def _parse_cached(data: bytes) -> Document:
    return _parse(data)


class _Refused(Exception):
    """Reading ends here."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _parse(data: bytes) -> Document:
    if len(data) > MAX_BYTES:
        return _failed(Problem("PM103", f"the file has {len(data):,} bytes; the limit is {MAX_BYTES:,}", hint=_TOO_LARGE))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _failed(Problem("PM102", "the file is not UTF-8 text", line, 1, "save it with the encoding UTF-8"))
    try:
        loader = _LOADER(text)
        try:
            reader = _Reader(loader)
            return Document(reader.document(), tuple(reader.problems))
        finally:
            loader.dispose()
    except _Refused as refused:
        return _failed(refused.problem)
    except (yaml.YAMLError, ValueError) as error:
        return _failed(_syntax_problem(error, text))


_TOO_LARGE = "declared files hold settings; put data into the code or behind a URL with sha256"


def _failed(problem: Problem) -> Document:
    return Document(None, (problem,))


def _syntax_problem(error: Exception, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    lines = text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return Problem("PM110", "a tab is used for indentation", line, 1, "YAML indents with spaces only; replace the tab")
    return Problem("PM101", f"this is not YAML: {said}", line, column, _syntax_hint(str(said)))


def _syntax_hint(said: str) -> str:
    if "mapping values are not allowed" in said:
        return "quote a text that holds `: `, and check that the keys of this map are indented alike"
    if "block end" in said or "block mapping" in said or "block collection" in said:
        return "check that this line is indented like its neighbours"
    if "cannot start any token" in said:
        return "quote a text that begins with a special character such as @, ` or %"
    return "check brackets, quotes and indentation at this place"


@dataclass(slots=True)
class _Reader:
    """Turns the events of one document into nodes, counting as it goes."""

    loader: yaml.SafeLoader
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int] | None] = field(default_factory=dict)
    nodes: int = 0
    aliases: int = 0
    repeated: int = 0

    def document(self) -> Node | None:
        events = self._events()
        next(events)  # stream start
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        root = self._node(next(events), events, 0)
        next(events)  # document end
        following = next(events)
        if not isinstance(following, yaml.StreamEndEvent):
            hint = "one file declares one thing: remove the line `---` and what follows it"
            raise _Refused(_at(following, "PM105", "the file holds more than one YAML document", hint))
        return None if isinstance(root, Scalar) and root.is_null else root

    def _events(self) -> Iterator[yaml.Event]:
        while self.loader.check_event():
            event: yaml.Event = self.loader.get_event()  # type: ignore[no-untyped-call]
            yield event

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise _Refused(_at(event, "PM107", f"nested more than {MAX_DEPTH} levels deep", "flatten the structure"))
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self.anchors[anchor] = None
        before = self.nodes
        self.nodes += 1
        node = self._own_node(event, events, depth)
        if anchor is not None:
            self.anchors[anchor] = (node, self.nodes - before)
        return node

    def _own_node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        self._check_tag(event)
        line, column = _place(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                items.append(self._node(item, events, depth + 1))
            return ListNode(tuple(items), line, column)
        return MapNode(self._entries(events, depth), line, column)

    def _entries(self, events: Iterator[yaml.Event], depth: int) -> Mapping[str, Entry]:
        entries: dict[str, Entry] = {}
        merges: list[Entry] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if not isinstance(key, Scalar):
                raise _Refused(_at(event, "PM108", "a map or list cannot be a key here", "write the key as plain text"))
            if key.plain and key.guess == MERGE:
                merges.append((key, value))
            elif key.text in entries:
                self._report_duplicate(key, entries[key.text][0])
            else:
                entries[key.text] = (key, value)
        return self._with_merges(entries, merges)

    def _report_duplicate(self, key: Scalar, first: Scalar) -> None:
        if len(self.problems) < MAX_DUPLICATES:
            message = f"the key `{key.text[:100]}` is written twice; the first is in line {first.line}"
            self.problems.append(Problem("PM104", message, key.line, key.column, "keep one of the two"))

    def _with_merges(self, entries: Mapping[str, Entry], merges: Sequence[Entry]) -> Mapping[str, Entry]:
        try:
            return merged(entries, merges)
        except MergeError as error:
            key = merges[0][0]
            raise _Refused(Problem("PM108", str(error), key.line, key.column, "merge maps only: `<<: *name`")) from error

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        line, column = _place(event)
        self._check_tag(event)
        if "\0" in event.value:
            raise _Refused(_at(event, "PM108", "a text holds a NUL character", "no program can read it; remove it"))
        is_plain = not event.style and event.tag is None
        return Scalar(event.value, _guess(event.value) if is_plain else "str", is_plain, line, column)

    def _check_tag(self, event: yaml.Event) -> None:
        tag = getattr(event, "tag", None)
        if tag in (None, "!") or str(tag).removeprefix(_TAG_PREFIX) in _KNOWN_TAGS:
            return
        hint = "remove the tag; values are read as they are written"
        raise _Refused(_at(event, "PM108", f"the YAML tag `{_shown_tag(str(tag))}` is not supported", hint))

    def _alias(self, event: yaml.AliasEvent) -> Node:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise _Refused(_at(event, "PM106", f"more than {MAX_ALIASES} YAML aliases (`*name`)", "write the values out"))
        if event.anchor not in self.anchors:
            raise _Refused(_at(event, "PM101", f"this is not YAML: no anchor `&{event.anchor}` stands before this alias"))
        anchored = self.anchors[event.anchor]
        if anchored is None:
            raise _Refused(_at(event, "PM106", f"the alias `*{event.anchor}` contains itself", "write the values out"))
        node, size = anchored
        self.nodes += size
        self.repeated += size
        if self.repeated > MAX_ALIASED_NODES:
            raise _Refused(_at(event, "PM106", "YAML aliases repeat too much content", "write the values out"))
        return node


def _guess(text: str) -> str:
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag.removeprefix(_TAG_PREFIX)


def _shown_tag(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG_PREFIX)}" if tag.startswith(_TAG_PREFIX) else tag


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _at(event: yaml.Event, code: str, message: str, hint: str | None = None) -> Problem:
    line, column = _place(event)
    return Problem(code, message, line, column, hint)
