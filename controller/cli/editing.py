"""Edits of one value in a declared YAML file that leave every other byte as it was: comments, quotes, order, line ends.

PyYAML's marks say where a value lies in the text, so the text is cut there and nothing is written anew. Whatever was
cut is read again and compared, so that an edit either says exactly what was meant or is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from controller.loading.documents import parse
from controller.loading.nodes import plain
from controller.model.errors import Stalled

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""JSON leaves these as they are, YAML wants them escaped (YAML 1.2, section 5.1)."""
_GUESSED = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)")


def quoted(text: str) -> str:
    """Text as a YAML scalar that no reader takes for anything else."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def flow(value: object) -> str:
    """A value on one line: maps and lists with brackets, texts in quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def block(path: Sequence[str], value: object, *, indent: str = "", newline: str = "\n") -> str:
    """`value` below a path of keys, a line for each key, without a newline at the end."""
    lines = [f"{indent}{'  ' * depth}{_key(key)}:" for depth, key in enumerate(path)]
    return f"{newline.join(lines)} {flow(value)}"


def with_value(data: bytes, path: Sequence[str], value: object, *, file: str) -> bytes:
    """The document with `value` at `path`, keys added where they are missing. Raises Stalled where that cannot be done."""
    text = data.decode("utf-8-sig")
    document = parse(data)
    if not document.is_readable:
        problem = document.problems[0]
        raise Stalled(f"{file}:{problem.line}:{problem.column}: {problem.message}", hint=problem.hint)
    edited = _edited(text, path, value).encode()
    if plain(parse(edited).root) != _expected(plain(document.root), path, value):
        key = ".".join(path)
        raise Stalled(f"{file}: `{key}` cannot be written without rewriting the rest", hint=f"edit it: {key}: {flow(value)}")
    return edited


def _edited(text: str, path: Sequence[str], value: object) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    node, rest = _descend(root, path)
    if node is None:
        return _appended(text, path, value)
    if not rest:
        return _replaced(text, node, value)
    return _inserted(text, node, rest, value) if isinstance(node, yaml.MappingNode) else text


def _descend(root: yaml.Node | None, path: Sequence[str]) -> tuple[yaml.Node | None, Sequence[str]]:
    """The deepest node on the path, and what of the path is missing below it."""
    node = root
    for depth, key in enumerate(path):
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        below = next((value for name, value in entries if getattr(name, "value", None) == key), None)
        if below is None:
            return node, path[depth:]
        node = below
    return node, ()


def _replaced(text: str, node: yaml.Node, value: object) -> str:
    """A block, which begins on a line of its own, goes up to the line of its key."""
    start, end = int(node.start_mark.index), _end(node)
    newline = _newline(text)
    if text[:end].endswith(newline):
        end -= len(newline)
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        return f"{text[: text.rfind(':', 0, start) + 1]} {flow(value)}{text[end:]}"
    return f"{text[:start]}{flow(value)}{text[end:]}"


def _inserted(text: str, node: yaml.MappingNode, rest: Sequence[str], value: object) -> str:
    if node.flow_style:
        at = _end(node.value[-1][1]) if node.value else node.end_mark.index - 1
        item = flow(_nested(rest, value))[1:-1]
        return f"{text[:at]}{', ' if node.value else ''}{item}{text[at:]}"
    newline = _newline(text)
    at = _end(node.value[-1][1])
    if text[at - 1] != "\n":
        end_of_line = text.find("\n", at)
        text, at = (text, end_of_line + 1) if end_of_line >= 0 else (text + newline, len(text) + len(newline))
    indent = " " * int(node.start_mark.column)
    return f"{text[:at]}{block(rest, value, indent=indent, newline=newline)}{newline}{text[at:]}"


def _appended(text: str, path: Sequence[str], value: object) -> str:
    """To a document that says nothing yet."""
    newline = _newline(text)
    start = text if not text or text.endswith("\n") else text + newline
    return f"{start}{block(path, value, newline=newline)}{newline}"


def _end(node: yaml.Node) -> int:
    """Where a node's text ends; a block's own mark lies behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _expected(old: Any, path: Sequence[str], value: object) -> Any:
    if not path:
        return plain(parse(flow(value).encode()).root)
    known = old if isinstance(old, dict) else {}
    return {**known, path[0]: _expected(known.get(path[0]), path[1:], value)}


def _nested(path: Sequence[str], value: object) -> Any:
    return {path[0]: _nested(path[1:], value)} if path else value


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and not _GUESSED.fullmatch(key) else quoted(key)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
