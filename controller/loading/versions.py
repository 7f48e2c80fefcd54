"""One version: its first text, its code at the commit, and what both together make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from controller.loading.golden import read_golden
from controller.loading.inheritance import Branch, as_branch, placed
from controller.loading.nodes import ListNode, MapNode, Node, find, location, plain, text_of
from controller.loading.reading import DeclaredVersion, ambiguous_names
from controller.loading.rules.edited_version import edits
from controller.loading.rules.file_sources import source_diagnostics
from controller.loading.schema import validate
from controller.loading.schema_problems import did_you_mean
from controller.loading.valohai import Endpoints, read_valohai
from controller.model.declared import EndpointDefinition, FileContent, Version, VersionEndpoint
from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject
from controller.model.source import Snapshot, VersionSource

VALOHAI_FILE = "valohai.yaml"
_OF_THE_FILE = "PM1"
"""Codes of mistakes in a file's text: what was meant there cannot be known."""


def read_version(name: str, file: str, snapshot: Snapshot, *, uncommitted: bool) -> tuple[DeclaredVersion, list[Diagnostic]]:
    """The version as far as it can be read; `version` stays None while a mistake holds it."""
    subject = Subject("version", name)
    present = validate("version", snapshot.files[file])
    diagnostics = [problem.in_file(file, subject) for problem in present.problems]
    diagnostics.extend(ambiguous_names("version", present.root, file, subject))
    if not present.is_readable:
        return DeclaredVersion(name, file), diagnostics
    source = snapshot.versions.get(name) or VersionSource(name, snapshot.files[file], committed=False)
    first = validate("version", source.text)
    root = first.root if first.is_readable else present.root
    diagnostics.extend(edits(root, present.root, name, file))
    declared = DeclaredVersion(
        name,
        file,
        root,
        enabled=plain(find(present.root, "enabled")) is not False,
        deployments=_deployments(find(root, "deployments")),
        settings=_settings(root, file),
    )
    found = [*_source_problems(declared, source, snapshot, uncommitted=uncommitted)]
    if not found and source.code is not None:
        version, code_problems = _with_code(declared, source, snapshot)
        found.extend(code_problems if declared.enabled else ())
        if not any(d.is_error for d in found):
            declared = replace(declared, version=version)
    return declared, [*diagnostics, *(replace(d, subject=subject) for d in found)]


def _deployments(node: Node | None) -> frozenset[str] | None:
    return frozenset(text_of(item) or "" for item in node.items) if isinstance(node, ListNode) else None


def _settings(root: Node | None, file: str) -> Branch:
    """The third level of inheritance: a version's own `environment` and `endpoints`, where that is a map."""
    levels = {key: find(root, key) for key in ("environment", "endpoints")}
    children = {key: placed(node, file) for key, node in levels.items() if isinstance(node, MapNode) and node.entries}
    return as_branch(Branch({k: v for k, v in children.items() if v is not None}, location(file, root)))


def _source_problems(
    declared: DeclaredVersion, source: VersionSource, snapshot: Snapshot, *, uncommitted: bool
) -> Iterator[Diagnostic]:
    """Why git cannot say what this version is; silent where the source has said so itself."""
    blamed = (PROJECT, Subject("version", declared.name))
    if any(d.is_error and d.subject in blamed for d in snapshot.diagnostics):
        return
    place = Location(declared.file)
    if not source.committed and not uncommitted:
        hint = f"commit it first: git add {declared.file} && git commit"
        yield Diagnostic("PM312", Severity.ERROR, f"version `{declared.name}` is not committed", place, hint=hint)
    elif source.code is None or not (source.commit or uncommitted):
        hint = "fetch the full history, or name the commit: `version create --commit`"
        yield Diagnostic("PM313", Severity.ERROR, f"the commit of version `{declared.name}` cannot be found", place, hint=hint)


def _with_code(declared: DeclaredVersion, source: VersionSource, snapshot: Snapshot) -> tuple[Version | None, list[Diagnostic]]:
    if source.code is None:
        return None, []
    if source.valohai is None:
        return None, [_without_valohai(declared, source)]
    endpoints, found = read_valohai(source.valohai, VALOHAI_FILE)
    if snapshot.generated and endpoints:
        found = tuple(map(_left_out, found))
    if any(d.is_error for d in found):
        return None, [_in_version(d, declared.name, source.commit) for d in found]
    chosen, unknown = _chosen(declared, endpoints)
    golden, golden_problems = read_golden(source.golden, endpoints)
    requirements, text_problems = _requirements(source.requirements)
    in_code = [*found, *golden_problems, *text_problems]
    diagnostics = [_in_version(d, declared.name, source.commit) for d in in_code] + unknown
    diagnostics += source_diagnostics(declared, chosen, source.code_files, local=snapshot.local)
    built = {
        name: VersionEndpoint(
            definition,
            base=text_of(find(declared.root, "base", name)) or definition.image,
            files=_contents(find(declared.root, "files", name), source.code_files),
            requirements=requirements,
            locked=source.locked,
            golden=golden.get(name, ()),
            base_location=_base_location(declared, definition),
        )
        for name, definition in chosen.items()
    }
    version = Version(
        declared.name,
        source.commit,
        source.code,
        built,
        enabled=declared.enabled,
        provisional=source.provisional,
        deployments=declared.deployments,
        location=location(declared.file, declared.root),
        committed=source.committed or not source.provisional,
    )
    return version, diagnostics


def _base_location(declared: DeclaredVersion, definition: EndpointDefinition) -> Location:
    pinned = find(declared.root, "base", definition.name)
    return location(declared.file, pinned) if pinned else definition.image_location


def _without_valohai(declared: DeclaredVersion, source: VersionSource) -> Diagnostic:
    message = f"the code of version `{declared.name}` at {source.commit[:10] or 'the working tree'} has no valohai.yaml"
    hint = "add valohai.yaml with an `endpoint:` item, or name a `commit` that has it"
    return Diagnostic("PM401", Severity.ERROR, message, Location(declared.file), hint=hint)


def _left_out(diagnostic: Diagnostic) -> Diagnostic:
    """Where nobody declared which endpoints a version has, a wrong one does not keep the others from being served."""
    if not diagnostic.is_error or diagnostic.code.startswith(_OF_THE_FILE):
        return diagnostic
    return replace(diagnostic, severity=Severity.WARNING, message=f"{diagnostic.message}; the endpoint is left out")


def _in_version(diagnostic: Diagnostic, name: str, commit: str) -> Diagnostic:
    where = f"in the code of version `{name}`" + (f" at {commit[:10]}" if commit else "")
    return replace(diagnostic, message=f"{diagnostic.message} ({where})")


def _chosen(declared: DeclaredVersion, endpoints: Endpoints) -> tuple[Endpoints, list[Diagnostic]]:
    """The endpoints that the version names, else all."""
    node = find(declared.root, "endpoints")
    named: Mapping[str, Node | None]
    if isinstance(node, MapNode):
        named = {key: node.key(key) for key in node.entries}
    elif isinstance(node, ListNode):
        named = {text_of(item) or "": item for item in node.items}
    else:
        named = dict.fromkeys(endpoints)
    chosen = {name: endpoints[name] for name in named if name in endpoints}
    unknown = [_unknown(n, at, declared, endpoints) for n, at in named.items() if n not in endpoints]
    if not endpoints and not unknown:
        hint = "add an `- endpoint:` item with `name`, `image` and `server-command` or `wsgi`"
        place = Location(declared.file)
        unknown = [Diagnostic("PM314", Severity.ERROR, "valohai.yaml declares no endpoint", place, hint=hint)]
    return chosen, unknown


def _unknown(name: str, node: Node | None, declared: DeclaredVersion, endpoints: Endpoints) -> Diagnostic:
    message = f"valohai.yaml at the commit of version `{declared.name}` has no endpoint `{name}`"
    place = location(declared.file, node)
    return Diagnostic("PM307", Severity.ERROR, message, place, hint=did_you_mean(name, endpoints))


def _contents(node: Node | None, code_files: Mapping[str, str]) -> dict[str, FileContent]:
    files = node.items() if isinstance(node, MapNode) else ()
    return {name: _content(source, code_files) for name, source in files}


def _content(node: Node, code_files: Mapping[str, str]) -> FileContent:
    path = text_of(find(node, "path"))
    if path is not None:
        return FileContent(path=path, blob=code_files.get(path))
    return FileContent(url=text_of(find(node, "url")), sha256=text_of(find(node, "sha256")))


def _requirements(data: bytes | None) -> tuple[str | None, list[Diagnostic]]:
    try:
        return (None if data is None else data.decode("utf-8-sig")), []
    except UnicodeDecodeError:
        place = Location("requirements-deployment.txt")
        message, hint = "the requirements are not UTF-8 text", "save requirements-deployment.txt (or requirements.txt) as UTF-8"
        return None, [Diagnostic("PM407", Severity.ERROR, message, place, hint=hint)]
