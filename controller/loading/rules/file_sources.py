"""Every file that an endpoint declares has bytes, and every source leads to a declared file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.loading.nodes import MapNode, Node, find, location, text_of
from controller.loading.paths import path_mistake
from controller.loading.reading import DeclaredVersion
from controller.loading.schema_problems import did_you_mean
from controller.model.declared import EndpointDefinition
from controller.model.diagnostics import Diagnostic, Location, Severity

Endpoints = Mapping[str, EndpointDefinition]


def source_diagnostics(
    declared: DeclaredVersion, endpoints: Endpoints, code_files: Mapping[str, str], *, local: bool
) -> list[Diagnostic]:
    """What is wrong with a version's `base` and `files`. `local` allows `file://`: a working directory is the user's own."""
    return [
        *_unknown_endpoints(declared, endpoints, "base"),
        *_unknown_endpoints(declared, endpoints, "files"),
        *(d for name in endpoints for d in _files(declared, endpoints[name], code_files, local=local)),
    ]


def _unknown_endpoints(declared: DeclaredVersion, endpoints: Endpoints, key: str) -> Iterator[Diagnostic]:
    node = find(declared.root, key)
    for name in node.entries if isinstance(node, MapNode) else ():
        if name not in endpoints and isinstance(node, MapNode):
            message = f"`{key}` names `{name}`, which is not an endpoint of version `{declared.name}`"
            place = location(declared.file, node.key(name))
            yield Diagnostic("PM308", Severity.ERROR, message, place, hint=did_you_mean(name, endpoints))


def _files(
    declared: DeclaredVersion, endpoint: EndpointDefinition, code_files: Mapping[str, str], *, local: bool
) -> Iterator[Diagnostic]:
    node = find(declared.root, "files", endpoint.name)
    sources = node.entries if isinstance(node, MapNode) else {}
    names = [file.name for file in endpoint.files]
    for name, (key, source) in sources.items():
        if name not in names:
            message = f"endpoint `{endpoint.name}` has no file `{name}`"
            place = location(declared.file, key)
            hint = did_you_mean(name, [n for n in names if n not in sources]) or "remove it, or declare it in valohai.yaml"
            yield Diagnostic("PM309", Severity.ERROR, message, place, hint=hint)
        yield from _source(declared, source, code_files, local=local)
    misspelt = {did_you_mean(name, names) for name in sources if name not in names}
    for name in names:
        if name not in sources and f"did you mean `{name}`?" not in misspelt:
            yield _without_bytes(declared, endpoint.name, name, node)


def _without_bytes(declared: DeclaredVersion, endpoint: str, name: str, node: Node | None) -> Diagnostic:
    place = location(declared.file, node or find(declared.root, "files") or declared.root)
    message = f"{endpoint}: file `{name}` has no bytes in version `{declared.name}`"
    hint = f"write files: {{{endpoint}: {{{name}: {{path: PATH}}}}}}, or a url with its sha256"
    return Diagnostic("PM316", Severity.ERROR, message, place, hint=hint)


def _source(declared: DeclaredVersion, source: Node, code_files: Mapping[str, str], *, local: bool) -> Iterator[Diagnostic]:
    path, url = find(source, "path"), find(source, "url")
    if path is not None and url is not None:
        message, hint = "a file has both `path` and `url`", "keep one: `path` in the code, or `url` with `sha256`"
        yield Diagnostic("PM315", Severity.ERROR, message, location(declared.file, url), hint=hint)
    elif path is not None:
        yield from _path(text_of(path) or "", location(declared.file, path), code_files)
    elif not local and (text_of(url) or "").startswith("file://"):
        message, hint = "file:// would read the controller's own disk", "use https, s3, gs or abfs, or a `path` in the code"
        yield Diagnostic("PM317", Severity.ERROR, message, location(declared.file, url), hint=hint)


def _path(path: str, place: Location, code_files: Mapping[str, str]) -> Iterator[Diagnostic]:
    mistake = path_mistake(path)
    if mistake:
        yield Diagnostic("PM212", Severity.ERROR, f"the path `{path}` {mistake}", place, hint="name a file of the code")
    elif path not in code_files:
        near = did_you_mean(path, code_files)
        hint = near if near and near.startswith("did you mean") else "commit the file, or use `url` with `sha256`"
        yield Diagnostic("PM310", Severity.ERROR, f"the code at the commit has no file `{path}`", place, hint=hint)
