"""The schemas that editors and the loader share, and the check of one document against one of them.

Nothing is ever fetched: the registry holds exactly the shipped files and refuses every other reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from controller.loading.documents import Document, Problem, parse
from controller.loading.nodes import ListNode, MapNode, Node, Scalar
from controller.loading.schema_problems import MAX_PROBLEMS, problems_in

SCHEMAS = ("project", "version", "deployment", "alias", "golden", "valohai-endpoint")
"""Those of the declared format."""
CONTROLLER = "controller"
"""That of the controller's own configuration."""


class _WrittenNumber:
    """Remembers the text of a number, so that a name's pattern is matched against what was written."""

    text: str


class _WrittenInt(_WrittenNumber, int):
    pass


class _WrittenFloat(_WrittenNumber, float):
    pass


def schema(name: str) -> Mapping[str, Any]:
    """One of the shipped schemas as plain JSON."""
    return _all_schemas()[name]


def validate(name: str, data: bytes) -> Document:
    """Read a document and check it against a schema; the tree is kept beside the problems."""
    return _validate_cached(name, data) if len(data) <= _CACHED_BYTES else _validate(name, data)


def is_valid_version(data: bytes) -> bool:
    """Whether a version file's text passes its schema: the first such text is what the version is, for ever."""
    return validate("version", data).is_readable


def node_problems(name: str, node: Node) -> tuple[Problem, ...]:
    """What a schema finds in a part of a document."""
    return problems_in(tuple(islice(_validator(name).iter_errors(_instance(node)), MAX_PROBLEMS)), node)


_CACHED_BYTES = 64 * 1024


@lru_cache(maxsize=8192)
def _validate_cached(name: str, data: bytes) -> Document:
    return _validate(name, data)


def _validate(name: str, data: bytes) -> Document:
    document = parse(data)
    if not document.is_readable:
        return document
    if document.root is None:
        required = schema(name).get("required")
        hint = f"write `{required[0]}: ...`, or remove the file" if required else "write `{}` for a file that says nothing"
        empty = Problem("PM203", "the file is empty", hint=hint)
        return Document(None, (*document.problems, empty))
    return Document(document.root, (*document.problems, *node_problems(name, document.root)))


def _instance(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: _instance(value) for key, value in node.items()}
    if isinstance(node, ListNode):
        return [_instance(item) for item in node.items]
    return _written(node)


def _written(scalar: Scalar) -> Any:
    value = scalar.value
    number: _WrittenNumber
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        number = _WrittenInt(value)
    elif isinstance(value, float):
        number = _WrittenFloat(value)
    else:
        return value
    number.text = scalar.text
    return number


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    text = instance if isinstance(instance, str) else getattr(instance, "text", None)
    if isinstance(text, str) and not _compiled(pattern).search(text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # In JSON Schema `$` is the very end; Python's `$` would let a final newline through.
    return re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)


_Validator: Any = extend(Draft7Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


@cache
def _validator(name: str) -> Any:
    contents = {f"{key}.json": Resource.from_contents(value, DRAFT7) for key, value in _all_schemas().items()}
    registry: Registry[Any] = Registry().with_resources(contents.items())
    return _Validator(schema(name), registry=registry)


@cache
def _all_schemas() -> Mapping[str, Mapping[str, Any]]:
    return {name: json.loads(_folder().joinpath(f"{name}.json").read_text("utf-8")) for name in (*SCHEMAS, CONTROLLER)}


def _folder() -> Traversable:
    """`controller/schemas` in an installed package, `schemas/` in a checkout."""
    installed = resources.files("controller").joinpath("schemas")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "schemas"
