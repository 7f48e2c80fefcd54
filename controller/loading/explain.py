"""The merged result of all levels with the place of each value: what `pointsman show` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.loading.inheritance import Branch, Leaf, Merged, as_branch, over
from controller.loading.loader import read_all
from controller.loading.nodes import Node, Scalar, find, location, plain, text_of
from controller.loading.reading import DeclaredVersion, Reading
from controller.loading.settings import endpoint_environment, endpoint_settings, idle_replicas, rollout
from controller.model.declared import Version, VersionEndpoint
from controller.model.diagnostics import Location
from controller.model.source import Snapshot

DEFAULT = Location("(default)")
"""The place of a value that no file gives."""


@dataclass(frozen=True, slots=True)
class ExplainedValue:
    """One value: its path of keys, such as `versions.20181002.0.endpoints.greet-me.timeout`, its text and its place."""

    path: str
    value: str
    location: Location


def explain(snapshot: Snapshot, deployment: str, version: str | None = None) -> tuple[ExplainedValue, ...]:
    """All values of one deployment, or of one of its versions. Empty for a deployment that is not there."""
    reading, _ = read_all(snapshot, uncommitted=True)
    if deployment not in reading.merged:
        return ()
    found = [] if version else [*_deployment_values(reading, deployment)]
    for declared in reading.versions_of(deployment):
        if version in (None, declared.name):
            found += _version_values(reading.merged[deployment], declared)
    return tuple(found)


def _deployment_values(reading: Reading, deployment: str) -> Iterator[ExplainedValue]:
    merged = reading.merged[deployment]
    switch = rollout(merged.branch("rollout"))
    for path, default in (
        (("target",), "(the default target)"),
        (("access", "basicAuth", "secret"), "(open)"),
        (("idle", "replicas"), str(idle_replicas(merged))),
        (("rollout", "deadline"), f"{switch.deadline:g}s"),
        (("rollout", "strategy"), switch.strategy),
        (("rollout", "keepWarm"), f"{switch.keep_warm:g}s"),
    ):
        yield _value(".".join(path), merged.get(*path), default)
    for node in reading.allowed_secrets:
        yield ExplainedValue("code.allowSecrets", text_of(node) or "", location(reading.project_file, node))
    for name, alias in reading.aliases.get(deployment, {}).items():
        yield ExplainedValue(f"aliases.{name}", alias.version, alias.location)


def _version_values(merged: Branch, declared: DeclaredVersion) -> Iterator[ExplainedValue]:
    version = declared.version
    if version is None:
        return
    prefix = f"versions.{version.name}"
    commit = f"{version.commit}{' (provisional)' if version.provisional else ''}" if version.commit else "(working tree)"
    written = find(declared.root, "commit")
    yield ExplainedValue(f"{prefix}.commit", commit, location(declared.file, written) if written else DEFAULT)
    own = as_branch(over(merged, declared.settings))
    for name in version.endpoints:
        yield from _endpoint_values(f"{prefix}.endpoints.{name}", own, declared, version, version.endpoints[name])


def _endpoint_values(
    prefix: str, merged: Branch, declared: DeclaredVersion, version: Version, endpoint: VersionEndpoint
) -> Iterator[ExplainedValue]:
    definition = endpoint.definition
    base = find(declared.root, "base", definition.name)
    in_code = definition.location
    yield ExplainedValue(f"{prefix}.image", endpoint.base, location(declared.file, base) if base else in_code)
    start = ("server-command", definition.command) if definition.command else ("wsgi", definition.wsgi or "")
    yield ExplainedValue(f"{prefix}.{start[0]}", start[1] or "", in_code)
    yield ExplainedValue(f"{prefix}.port", str(definition.port), in_code)
    for name in version.endpoints[definition.name].files:
        node = find(declared.root, "files", definition.name, name)
        yield ExplainedValue(f"{prefix}.files.{name}", _source(node), location(declared.file, node))
    yield from _setting_values(prefix, merged, endpoint)
    for name, value in sorted(endpoint_environment(merged, definition.name).children.items()):
        if not (isinstance(value, Leaf) and value.is_null):
            yield _value(f"{prefix}.environment.{name}", value, "")


def _setting_values(prefix: str, merged: Branch, endpoint: VersionEndpoint) -> Iterator[ExplainedValue]:
    definition = endpoint.definition
    own = merged.branch("endpoints", definition.name)
    settings = endpoint_settings(merged, definition.name)
    for path, default in (
        (("scale", "min"), str(settings.scale.min)),
        (("scale", "max"), str(settings.scale.max)),
        (("health", "path"), "(a TCP connection)"),
        (("timeout",), f"{settings.timeout:g}s"),
    ):
        yield _value(f"{prefix}.{'.'.join(path)}", own.get(*path), default)
    if own.get("scale", "cpu") is not None:
        yield _value(f"{prefix}.scale.cpu", own.get("scale", "cpu"), "")
    in_code = {
        "resources": str(definition.resources or "(none)"),
        "node-selector": definition.node_selector or "(none)",
        "tolerations": str(list(definition.tolerations) or "(none)"),
    }
    for key, text in in_code.items():
        yield from _replacing(f"{prefix}.{key}", own.get(key), text, definition.location)


def _replacing(path: str, chosen: Merged | None, text: str, in_code: Location) -> Iterator[ExplainedValue]:
    """A value that replaces valohai.yaml's whole, else that one; nothing where neither says anything."""
    if isinstance(chosen, Branch):
        for key, value in chosen.children.items():
            yield from _replacing(f"{path}.{key}", value, "(none)", in_code)
    elif chosen is not None:
        yield _value(path, chosen, "")
    elif text != "(none)":
        yield ExplainedValue(path, text, in_code)


def _value(path: str, merged: Merged | None, default: str) -> ExplainedValue:
    if isinstance(merged, Branch):
        return ExplainedValue(path, f"secret {merged.text('secret')}/{merged.text('key')}", merged.location)
    if merged is None:
        return ExplainedValue(path, default, DEFAULT)
    text = merged.node.text if isinstance(merged.node, Scalar) else str(plain(merged.node))
    return ExplainedValue(path, text, merged.location)


def _source(node: Node | None) -> str:
    return text_of(find(node, "path")) or f"{text_of(find(node, 'url'))} sha256:{text_of(find(node, 'sha256'))}"
