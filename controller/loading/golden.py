"""Golden requests: `golden/<endpoint>/<name>.yaml` in the code, each with the answer that is expected."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from controller.loading.documents import Problem
from controller.loading.forms import FormField, encode, media_type
from controller.loading.nodes import MapNode, Node, find, plain, text_of
from controller.loading.paths import joined
from controller.loading.schema import validate
from controller.loading.schema_problems import did_you_mean
from controller.model.declared import GoldenRequest
from controller.model.diagnostics import Diagnostic, Location, Severity

DIRECTORY = "golden"
_BODIES = ("form", "json", "text", "file")

Files = Mapping[str, bytes]


def read_golden(files: Files, endpoints: Collection[str]) -> tuple[dict[str, tuple[GoldenRequest, ...]], list[Diagnostic]]:
    """The requests of each endpoint by name, and what is wrong with them."""
    requests: dict[str, list[GoldenRequest]] = {}
    diagnostics: list[Diagnostic] = []
    for path in sorted(files):
        match path.split("/"):
            case [_, endpoint, file] if file.endswith(".yaml") and endpoint not in endpoints:
                diagnostics.append(_unknown_endpoint(path, endpoint, endpoints))
            case [_, endpoint, file] if file.endswith(".yaml"):
                request, problems = _read(file[:-5], path, files)
                diagnostics.extend(problem.in_file(path) for problem in problems)
                if request:
                    requests.setdefault(endpoint, []).append(request)
            case [_, _, file] if file.endswith(".yml"):
                hint = f"rename it to {file[:-4]}.yaml"
                diagnostics.append(Diagnostic("PM413", Severity.WARNING, "this file is not read", Location(path), hint=hint))
    return {name: tuple(found) for name, found in requests.items()}, diagnostics


def _unknown_endpoint(path: str, endpoint: str, endpoints: Collection[str]) -> Diagnostic:
    message = f"golden request for `{endpoint}`, which is not an endpoint of valohai.yaml"
    return Diagnostic("PM411", Severity.WARNING, message, Location(path), hint=did_you_mean(endpoint, endpoints))


def _read(name: str, path: str, files: Files) -> tuple[GoldenRequest | None, list[Problem]]:
    document = validate("golden", files[path])
    problems = list(document.problems)
    if not document.is_readable or document.root is None:
        return None, problems
    request, expect = find(document.root, "request"), find(document.root, "expect")
    problems += [*_body_problems(request), *_file_problems(request, path, files)]
    if len(problems) > len(document.problems):
        return None, problems
    headers, body = _content(request, path, files)
    default_method = "POST" if _body_kind(request) else "GET"
    return GoldenRequest(
        name=name,
        method=text_of(find(request, "method")) or default_method,
        path=text_of(find(request, "path")) or "/",
        headers=headers,
        body=body,
        status=int(plain(find(expect, "status")) or 200),
        json=plain(find(expect, "json")),
        expects_json=find(expect, "json") is not None,
        text=text_of(find(expect, "text")),
    ), problems


def _body_kind(request: Node | None) -> str | None:
    """Which kind of body a request has."""
    return next((kind for kind in _BODIES if find(request, kind) is not None), None)


def _body_problems(request: Node | None) -> Iterator[Problem]:
    given = [kind for kind in _BODIES if isinstance(request, MapNode) and kind in request.entries]
    if len(given) > 1 and isinstance(request, MapNode):
        key = request.entries[given[1]][0]
        message = f"the request has several bodies: {', '.join(given)}"
        yield Problem("PM410", message, key.line, key.column, "keep one of them")


def _file_problems(request: Node | None, path: str, files: Files) -> Iterator[Problem]:
    for node in _file_nodes(request):
        written = text_of(node) or ""
        target = joined(posixpath.dirname(path), written)
        if target is None or target not in files:
            near = did_you_mean(written, [posixpath.relpath(f, posixpath.dirname(path)) for f in files if f != path])
            hint = near or f"commit it beside this file, below {DIRECTORY}/"
            yield Problem("PM412", f"the file `{written}` is not there", node.line, node.column, hint)


def _file_nodes(request: Node | None) -> Iterator[Node]:
    form = find(request, "form")
    fields = [find(value, "file") for _, value in form.items()] if isinstance(form, MapNode) else []
    yield from (node for node in (find(request, "file"), *fields) if node is not None)


def _content(request: Node | None, path: str, files: Files) -> tuple[dict[str, str], bytes]:
    headers = find(request, "headers")
    given = {name: text_of(value) or "" for name, value in headers.items()} if isinstance(headers, MapNode) else {}
    kind, body = _body(request, path, files)
    has_type = any(name.lower() == "content-type" for name in given)
    typed = {"Content-Type": kind} if kind and (not has_type or _body_kind(request) == "form") else {}
    kept = {k: v for k, v in given.items() if not (typed and k.lower() == "content-type")}
    return {**kept, **typed}, body


def _body(request: Node | None, path: str, files: Files) -> tuple[str, bytes]:
    kind = _body_kind(request)
    node = find(request, kind) if kind else None
    match kind:
        case "form" if isinstance(node, MapNode):
            return encode([_field(name, value, path, files) for name, value in node.items()])
        case "json":
            return "application/json", _json(plain(node)).encode()
        case "text":
            return "text/plain; charset=utf-8", (text_of(node) or "").encode()
        case "file":
            name = text_of(node) or ""
            return media_type(name), files[joined(posixpath.dirname(path), name) or ""]
    return "", b""


def _field(name: str, value: Node, path: str, files: Files) -> FormField:
    file = text_of(find(value, "file"))
    if file is None:
        return FormField(name, (text_of(value) or "").encode())
    content = files[joined(posixpath.dirname(path), file) or ""]
    return FormField(name, content, posixpath.basename(file), text_of(find(value, "type")))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
