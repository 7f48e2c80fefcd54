"""The endpoints of `valohai.yaml`, by Valohai's own rules; every other item is tolerated, even a wrong one.

Source of the rules: valohai/valohai-yaml after v0.57.0 (`schema_data.py`, `commands.py`). 3 of 20 real files have
broken steps or pipelines and perfect endpoints, so nothing else is looked at. Stricter where a cluster would refuse
what the linter lets through: integer port, label-safe names, no `..`, `min <= max`, no endpoint twice.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice

from controller.loading.documents import Problem, parse
from controller.loading.nodes import ListNode, MapNode, Node, Scalar, find, location, plain, text_of
from controller.loading.paths import path_mistake
from controller.loading.schema import node_problems
from controller.model.declared import DEFAULT_PORT, DeclaredFile, EndpointDefinition
from controller.model.diagnostics import Diagnostic, Severity

METADATA_FILE = "valohai-metadata.json"
"""Valohai puts this file beside the code; nothing else may take its place."""

MAX_ENDPOINTS = 100
"""More in one version is a mistake, or an attack on whoever reads it."""

_DUPLICATE_KEY = "PM104"
_JOINER = " && "

Endpoints = Mapping[str, EndpointDefinition]


@lru_cache(maxsize=1024)
def read_valohai(data: bytes, file: str) -> tuple[Endpoints, tuple[Diagnostic, ...]]:
    """The valid endpoints by name, and what is wrong with the others or with the whole file."""
    document = parse(data)
    items = tuple(islice(_endpoint_items(document.root), MAX_ENDPOINTS + 1))
    problems = [p for p in document.problems if p.code != _DUPLICATE_KEY or _lies_in(p.line, items)]
    if document.is_readable and not isinstance(document.root, ListNode):
        hint = "write each endpoint as a list item: `- endpoint:` and its keys below, indented"
        problems.append(_at("PM402", "valohai.yaml must be a list of items", document.root, hint))
    if len(items) > MAX_ENDPOINTS:
        problems.append(_at("PM405", f"valohai.yaml declares more than {MAX_ENDPOINTS} endpoints", items[-1][0], "remove some"))
    endpoints: dict[str, EndpointDefinition] = {}
    for item, node, _ in items[:MAX_ENDPOINTS]:
        found = tuple(_item_problems(item, node, endpoints))
        problems.extend(found)
        if isinstance(node, MapNode) and not any(p.severity is Severity.ERROR for p in found):
            definition = _definition(node, file)
            endpoints[definition.name] = definition
    return endpoints, tuple(p.in_file(file) for p in problems)


def join_command(commands: list[str]) -> str:
    """One script from a list of commands, as Valohai's `join_command` does: blank ones left out, a shebang line kept."""
    shebang, pieces = "", [command.strip() for command in commands]
    if pieces and pieces[0].startswith("#!"):
        shebang, _, pieces[0] = pieces[0].partition("\n")
    script = _JOINER.join(piece for piece in pieces if piece.strip())
    return f"{shebang}\n{script}" if shebang else script


_Item = tuple[Scalar, Node, range]


def _endpoint_items(root: Node | None) -> Iterator[_Item]:
    """(the key `endpoint`, its value, the lines of the item)."""
    items = root.items if isinstance(root, ListNode) else ()
    ends = [item.line for item in items[1:]] + [10**9]
    for item, end in zip(items, ends, strict=False):
        if isinstance(item, MapNode) and "endpoint" in item.entries:
            key, value = item.entries["endpoint"]
            yield key, value, range(item.line, end)


def _lies_in(line: int, items: tuple[_Item, ...]) -> bool:
    return not items or any(line in lines for _, _, lines in items)


def _item_problems(key: Scalar, node: Node, known: Endpoints) -> Iterator[Problem]:
    if not isinstance(node, MapNode):
        yield _at("PM403", "`endpoint` has no keys of its own", key, "indent the endpoint's keys below `endpoint:`")
        return
    schema_problems = node_problems("valohai-endpoint", node)
    yield from schema_problems
    if schema_problems:
        return
    name = text_of(node.get("name")) or ""
    if name in known:
        first = known[name].location.line
        yield _at("PM404", f"the endpoint `{name}` is declared twice; the first is in line {first}", node.get("name"), _RENAME)
    yield from _server_problems(node, name)
    yield from resource_problems(node.get("resources"))
    yield from _file_problems(node.get("files"))


_RENAME = "rename one of them"


def _server_problems(node: MapNode, name: str) -> Iterator[Problem]:
    hint = "write `server-command` (a command) or `wsgi` (module:callable), and not both"
    if node.get("server-command") and node.get("wsgi"):
        yield _at("PM405", f"`{name}` has both `server-command` and `wsgi`", node.key("wsgi"), hint)
    elif not node.get("server-command") and not node.get("wsgi"):
        yield _at("PM405", f"`{name}` has neither `server-command` nor `wsgi`", node, hint)
    elif node.get("server-command") and not _command(node.get("server-command")):
        yield _at("PM405", f"the server command of `{name}` is blank", node.get("server-command"), hint)


def resource_problems(resources: Node | None) -> Iterator[Problem]:
    """Requests above limits; deployments write resources in the same spelling."""
    if not isinstance(resources, MapNode):
        return
    for name, limits in resources.items():
        low, high = plain(find(limits, "min")), plain(find(limits, "max"))
        if name != "devices" and low is not None and high is not None and low > high:
            message = f"`{name}` has min {low:g} above max {high:g}"
            yield _at("PM206", message, find(limits, "min"), "min is the request and max the limit: swap or correct them")


def _file_problems(files: Node | None) -> Iterator[Problem]:
    names: set[str] = set()
    paths: set[str] = {METADATA_FILE}
    for item in files.items if isinstance(files, ListNode) else ():
        name, path = text_of(find(item, "name")) or "", posixpath.normpath(text_of(find(item, "path")) or "")
        if name in names:
            yield _at("PM406", f"two files are named `{name}`", find(item, "name"), _RENAME)
        mistake = path_mistake(path) or _overlap(path, paths)
        if mistake:
            yield _at("PM406", f"the path `{path}` of file `{name}` {mistake}", find(item, "path"), "choose another path")
        names.add(name)
        paths.add(path)


def _overlap(path: str, others: set[str]) -> str | None:
    for other in others:
        if path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/"):
            return f"is taken by `{other}`"
    return None


def _definition(node: MapNode, file: str) -> EndpointDefinition:
    port = plain(node.get("port"))
    return EndpointDefinition(
        name=text_of(node.get("name")) or "",
        image=text_of(node.get("image")) or "",
        command=_command(node.get("server-command")) or None,
        wsgi=text_of(node.get("wsgi")),
        port=DEFAULT_PORT if port is None else int(port),
        description=text_of(node.get("description")) or "",
        files=_files(node.get("files")),
        resources=plain(node.get("resources")) or {},
        node_selector=text_of(node.get("node-selector")) or "",
        tolerations=tolerations(node.get("tolerations")),
        location=location(file, node.get("name")),
        image_location=location(file, node.get("image")),
    )


def tolerations(node: Node | None) -> tuple[Mapping[str, str], ...]:
    """A list of tolerations, each a map of texts."""
    items = node.items if isinstance(node, ListNode) else ()
    return tuple({key: text_of(value) or "" for key, value in i.items()} for i in items if isinstance(i, MapNode))


def _command(node: Node | None) -> str:
    if isinstance(node, ListNode):
        return join_command([text_of(item) or "" for item in node.items])
    return (text_of(node) or "").strip()


def _files(node: Node | None) -> tuple[DeclaredFile, ...]:
    items = node.items if isinstance(node, ListNode) else ()
    return tuple(
        DeclaredFile(text_of(find(i, "name")) or "", posixpath.normpath(text_of(find(i, "path")) or "")) for i in items
    )


def _at(code: str, message: str, node: Node | None, hint: str | None = None) -> Problem:
    line, column = (node.line, node.column) if node else (0, 0)
    return Problem(code, message, line, column, hint)
