"""A schema's findings as a person wants them: in words, at their place, with what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from jsonschema.exceptions import ValidationError

from controller.loading.documents import Problem
from controller.loading.nodes import MapNode, Node, Scalar, nearest

MAX_PROBLEMS = 50
"""Problems reported for one document; more would only hide the first."""

_LONGEST_SHOWN = 60
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_TYPES = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest known word, else what is known; None where nothing is."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word[:100], names[:500], n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}" if names else None


def problems_in(errors: Sequence[ValidationError], root: Node) -> tuple[Problem, ...]:
    """All findings of one document; what only follows from another one is left out."""
    mistyped = {tuple(e.absolute_path): e for e in reversed(errors) if e.validator == "type"}
    shown = [e for e in errors if mistyped.get(tuple(e.absolute_path), e) is e]
    problems = list(islice((problem for error in shown for problem in _problems_of(error, root)), MAX_PROBLEMS))
    misspelt = {p.hint for p in problems if p.code == "PM201"}
    return tuple(p for p in problems if not (p.code == "PM202" and f"did you mean {p.message.split()[0]}?" in misspelt))


def _problems_of(error: ValidationError, root: Node) -> Iterator[Problem]:
    """One finding may be about several keys: one problem each."""
    path = tuple(error.absolute_path)
    node = nearest(root, *path)
    if error.validator == "additionalProperties" and isinstance(node, MapNode):
        yield from _unknown_keys(error, node)
    elif error.validator == "required":
        yield from _missing_keys(error, node)
    elif "propertyNames" in error.absolute_schema_path and isinstance(node, MapNode):
        yield _bad_key(error, node)
    elif error.validator == "not":
        key = _key_at(root, path)
        message = f"`{path[-1]}` is reserved and does nothing yet"
        yield _problem("PM205", message, key or node, f"not yet: remove it. {_description(error)}".rstrip())
    else:
        yield _problem(*_wrong_value(error, _name(path), node))


def _unknown_keys(error: ValidationError, node: MapNode) -> Iterator[Problem]:
    properties = _keyword(error, "properties", {})
    usable = sorted(name for name, about in properties.items() if not (isinstance(about, Mapping) and "not" in about))
    for key, _ in node.entries.values():
        if key.text not in properties:
            yield _problem("PM201", f"unknown key `{_short(key.text)}`", key, _key_hint(key.text, usable, node))


def _key_hint(key: str, usable: Sequence[str], node: MapNode) -> str | None:
    """A key that is there already was hardly meant; still, all are listed where none is near."""
    free = [name for name in usable if node.get(name) is None]
    close = difflib.get_close_matches(key[:100], free, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known: {', '.join(usable)}" if usable else None


def _missing_keys(error: ValidationError, node: Node | None) -> Iterator[Problem]:
    if not isinstance(node, MapNode):
        return
    missing = str(error.message).split("'")[1]
    example = _keyword(error, "properties", {}).get(missing, {}).get("examples", [None])[0]
    hint = f"write `{missing}: {_shown(example)}`" if example is not None else f"add `{missing}`"
    yield _problem("PM202", f"`{missing}` is missing", node, hint)


def _bad_key(error: ValidationError, node: MapNode) -> Problem:
    text = str(error.instance)
    return _problem("PM204", f"`{_short(text)}` cannot be a name here", node.key(text), _pattern_hint(error))


def _wrong_value(error: ValidationError, name: str, node: Node | None) -> tuple[str, str, Node | None, str | None]:
    wanted: Any = error.validator_value
    written = f"`{_short(node.text)}`" if isinstance(node, Scalar) else _type_of(node)
    if error.validator == "type":
        return (
            "PM203",
            f"{name} must be {_types(wanted)}, not {written}",
            node,
            _pattern_hint(error) or _type_hint(wanted, node),
        )
    if error.validator == "enum":
        choices = [str(choice) for choice in wanted if choice is not None]
        return "PM204", f"{name} cannot be {written}", node, _choice_hint(str(error.instance), choices)
    if error.validator == "pattern":
        return "PM204", f"{name} cannot be {written}", node, _pattern_hint(error)
    message, hint = _LIMITS.get(str(error.validator), ("is not allowed here", None))
    return "PM204", f"{name} {message.format(written)}", node, hint and hint.format(wanted)


_EMPTY = ("is empty", "give a value, or leave the key out")
_LONG = ("is too long", "the limit is {}")
_LIMITS: Mapping[str, tuple[str, str | None]] = {
    "minimum": ("is {}", "the smallest value is {}"),
    "maximum": ("is {}", "the largest value is {}"),
    "minLength": _EMPTY,
    "minItems": _EMPTY,
    "minProperties": _EMPTY,
    "maxLength": _LONG,
    "maxItems": _LONG,
}


def _choice_hint(value: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(value[:100], choices, n=1, cutoff=0.7)
    return f"did you mean `{close[0]}`?" if close else f"one of: {', '.join(choices)}"


def _type_hint(wanted: Any, node: Node | None) -> str | None:
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    if "string" in kinds:
        return f'put it in quotes: "{_short(node.text)}"' if isinstance(node, Scalar) and not node.is_null else "write a text"
    for kind, hint in _TYPE_HINTS:
        if kind in kinds:
            return hint
    return "write plain digits, without quotes" if {"integer", "number"} & set(kinds) else None


_TYPE_HINTS = (
    ("array", "write a list: [a, b]"),
    ("object", "write `key: value` lines below it, indented"),
    ("boolean", "write true or false"),
)


def _types(wanted: Any) -> str:
    kinds = [wanted] if isinstance(wanted, str) else [kind for kind in wanted if kind != "null"]
    if "string" in kinds and "number" in kinds:
        return "text"
    return " or ".join(_TYPES[kind] for kind in kinds)


def _type_of(node: Node | None) -> str:
    return "a map" if isinstance(node, MapNode) else "a list"


def _pattern_hint(error: ValidationError) -> str | None:
    hint: str | None = _keyword(error, "patternErrorMessage", None)
    return hint


def _description(error: ValidationError) -> str:
    return str(_keyword(error, "description", "")).removeprefix("Reserved: not yet. ")


def _keyword(error: ValidationError, name: str, default: Any) -> Any:
    return error.schema.get(name, default) if isinstance(error.schema, Mapping) else default


def _name(path: tuple[Any, ...]) -> str:
    if not path:
        return "the file"
    keys = [str(step) for step in path if not isinstance(step, int)]
    return f"an item of `{keys[-1] if keys else 'the list'}`" if isinstance(path[-1], int) else f"`{_short(str(path[-1]))}`"


def _key_at(root: Node, path: tuple[Any, ...]) -> Scalar | None:
    parent = nearest(root, *path[:-1])
    return parent.key(str(path[-1])) if isinstance(parent, MapNode) else None


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _short(text: str) -> str:
    line = _CREDENTIALS.sub("//***@", text[:1000])
    return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}..."


def _problem(code: str, message: str, node: Node | None, hint: str | None) -> Problem:
    line, column = (node.line, node.column) if node else (0, 0)
    return Problem(code, message, line, column, hint)
