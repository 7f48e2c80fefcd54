"""`controller.yaml` to a `Configuration`, with every mistake at its place and in the words of the declared format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.loading.configuration_rules import check
from controller.loading.durations import seconds
from controller.loading.nodes import ListNode, MapNode, Node, Scalar, find, location, text_of
from controller.loading.schema import CONTROLLER, validate
from controller.loading.sizes import size_in_bytes
from controller.model.configuration import (
    APPEND_BUILDER,
    AUTO,
    INDEX_USER,
    Access,
    CleanUp,
    Configuration,
    Credentials,
    EmbeddedAccess,
    GatewayPods,
    GatewaySettings,
    Grants,
    InClusterAccess,
    KubeconfigAccess,
    LeaderElection,
    PackageIndex,
    RegistrySettings,
    SourceSettings,
    StateSettings,
    TargetSettings,
)
from controller.model.diagnostics import Diagnostic, Subject, ordered
from controller.model.limits import Limits

CONFIGURATION = Subject("configuration")


@dataclass(frozen=True, slots=True)
class LoadedConfiguration:
    """What a file says; `configuration` is None where it has an error."""

    configuration: Configuration | None
    diagnostics: tuple[Diagnostic, ...] = ()


def load_configuration(data: bytes, file: Path, *, state_home: Path) -> LoadedConfiguration:
    """Read a file's bytes. Never raises for what they are.

    Relative paths in it are relative to `file`, an absolute path; `state_home` is `$XDG_STATE_HOME`. Whether files that
    it names are there is not looked at.
    """
    document = validate(CONTROLLER, data)
    shown = file.name
    found = [problem.in_file(shown, CONFIGURATION) for problem in document.problems]
    if document.root is None or not document.is_readable:
        return LoadedConfiguration(None, ordered(found))
    found += check(document.root, shown, CONFIGURATION)
    if any(diagnostic.is_error for diagnostic in found):
        return LoadedConfiguration(None, ordered(found))
    return LoadedConfiguration(_Values(document.root, file, state_home).configuration(), ordered(found))


class _Values:
    """Reads a document that passed its schema and the rules."""

    def __init__(self, root: Node, file: Path, state_home: Path) -> None:
        self._root = root
        self._file = file
        self._state_home = state_home
        self._installation = _text(root, "installation") or "default"
        self._state = self._state_settings()

    def configuration(self) -> Configuration:
        root = self._root
        targets = {name: self._target(name, node) for name, node in _entries(find(root, "targets"))}
        default = default_target(root)
        log = _text(root, "log")
        return Configuration(
            sources={name: self._source(name, node, default) for name, node in _entries(find(root, "sources"))},
            targets=targets,
            default=default,
            state=self._state,
            installation=self._installation,
            mirrors=_texts_by_key(find(root, "images", "mirrors")),
            platform=_text(root, "images", "platform") or "linux/amd64",
            package_indexes=self._indexes(find(root, "dependencies", "indexes")),
            leader_election=self._leader_election(),
            concurrency=_whole(root, "concurrency", default=8),
            log=log,
            health=_address(_text(root, "health", "address") or "127.0.0.1:8081"),
        )

    def _state_settings(self) -> StateSettings:
        directory = self._path(self._root, "state", "directory")
        directory = directory or self._state_home / "pointsman" / f"controller-{self._installation}"
        return StateSettings(
            directory,
            cache=self._path(self._root, "state", "cache") or directory / "cache",
            mirrors=self._path(self._root, "state", "mirrors") or directory / "mirrors",
            history=self._path(self._root, "state", "history") or directory / "history",
        )

    def _source(self, name: str, node: Node, default: str) -> SourceSettings:
        return SourceSettings(
            name,
            _text(node, "repository") or "",
            _grants(find(node, "grants"), default),
            branch=_text(node, "branch"),
            path=_text(node, "path") or "pointsman",
            interval=_seconds(node, "interval") or 60.0,
            credentials=self._credentials(find(node, "credentials")),
            location=location(self._file.name, node),
        )

    def _credentials(self, node: Node | None) -> Credentials:
        return Credentials(
            token=self._path(node, "tokenFile"),
            username=_text(node, "username") or Credentials().username,
            authorities=self._path(node, "caFile"),
            ssh_key=self._path(node, "sshKeyFile"),
            known_hosts=self._path(node, "knownHostsFile"),
        )

    def _target(self, name: str, node: Node) -> TargetSettings:
        defaults = TargetSettings(name, InClusterAccess())
        least = find(node, "minReadySeconds")
        return TargetSettings(
            name,
            self._access(name, node),
            gateway=_gateway(find(node, "gateway")),
            registry=self._registry(find(node, "registry")),
            allow_exec=_texts(node, "allowExec"),
            security=_text(node, "security") or defaults.security,
            pull_secrets=_texts(node, "pullSecrets"),
            open_access=_switch(node, "openAccess", default=defaults.open_access),
            namespace=_text(node, "namespace"),
            controller_namespace=_text(node, "controllerNamespace") or defaults.controller_namespace,
            min_ready_seconds=None if least is None else _whole(node, "minReadySeconds", default=0),
            drain=_seconds(node, "drain"),
            qps=_number(node, "rate", "qps", default=defaults.qps),
            burst=_whole(node, "rate", "burst", default=defaults.burst),
            location=location(self._file.name, node),
        )

    def _access(self, name: str, node: Node) -> Access:
        if _switch(node, "inCluster", default=False):
            return InClusterAccess()
        if embedded := find(node, "embedded"):
            state = self._path(embedded, "state") or self._state.directory / f"embedded-{name}"
            port = find(embedded, "port")
            runtime = _text(embedded, "runtime") or AUTO
            return EmbeddedAccess(state, None if port is None else _whole(embedded, "port", default=0), runtime)
        return KubeconfigAccess(self._path(node, "kubernetes", "kubeconfig"), _text(node, "kubernetes", "context"))

    def _registry(self, node: Node | None) -> RegistrySettings | None:
        url = _text(node, "url")
        if url is None:
            return None
        pull = _text(node, "pull") or url.partition("://")[2]
        insecure = _switch(node, "insecure", default=False)
        keep = _seconds(find(node, "cleanUp"), "keep")
        clean_up = None if keep is None else CleanUp(keep)
        credentials, limits = self._path(node, "credentials"), _limits(find(node, "limits"))
        builder = _text(node, "builder") or APPEND_BUILDER
        return RegistrySettings(url, pull, credentials, insecure, clean_up, limits, builder)

    def _indexes(self, node: Node | None) -> Mapping[str, PackageIndex] | None:
        return None if node is None else {name: self._index(name, below) for name, below in _entries(node)}

    def _index(self, name: str, node: Node) -> PackageIndex:
        return PackageIndex(
            name,
            _text(node, "url") or "",
            is_default=_switch(node, "default", default=False),
            username=_text(node, "credentials", "username") or INDEX_USER,
            password=self._path(node, "credentials", "passwordFile"),
            location=location(self._file.name, node),
        )

    def _leader_election(self) -> LeaderElection:
        node, defaults = find(self._root, "leaderElection"), LeaderElection()
        return LeaderElection(
            enabled=_switch(node, "enabled", default=defaults.enabled),
            duration=_seconds(node, "duration") or defaults.duration,
            identity=_text(node, "identity"),
        )

    def _path(self, node: Node | None, *path: str) -> Path | None:
        text = _text(node, *path)
        return self._file.parent / text if text else None


def default_target(root: Node) -> str:
    """The one that says so, or the only one; empty where that is not clear."""
    targets = dict(_entries(find(root, "targets")))
    said = [name for name, node in targets.items() if _switch(node, "default", default=False)]
    candidates = said or list(targets)
    return candidates[0] if len(candidates) == 1 else ""


def _grants(node: Node | None, default: str) -> Grants:
    targets = _texts(node, "targets") or (default,)
    return Grants(
        _texts(node, "projects"),
        targets,
        _texts(node, "codeRepositories"),
        _texts(node, "filePrefixes"),
        None if find(node, "baseImages") is None else _texts(node, "baseImages"),
        _texts(node, "indexes"),
    )


def _limits(node: Node | None) -> Limits:
    usual = Limits()
    code, file, image = (_size(node, key) for key in ("code", "file", "image"))
    return Limits(usual.code if code is None else code, file, usual.image if image is None else image)


def _size(node: Node | None, key: str) -> int | None:
    text = _text(node, key)
    return None if text is None else size_in_bytes(text)


def _gateway(node: Node | None) -> GatewaySettings | None:
    url = _text(node, "url")
    if url is None:
        return None
    return GatewaySettings(
        url,
        namespace=_text(node, "namespace") or "gateways",
        name=_text(node, "name") or "pointsman",
        listener=_text(node, "listener"),
        hostnames=_texts(node, "hostnames"),
        replicas=_texts(node, "replicas"),
        pods=_pods(find(node, "pods")),
    )


def _pods(node: Node | None) -> GatewayPods | None:
    if node is None:
        return None
    selector = _texts_by_key(find(node, "selector"))
    return GatewayPods(_text(node, "namespace") or "", selector, _whole(node, "port", default=0))


def _entries(node: Node | None) -> Iterator[tuple[str, Node]]:
    return node.items() if isinstance(node, MapNode) else iter(())


def _text(node: Node | None, *path: str) -> str | None:
    return text_of(find(node, *path))


def _texts(node: Node | None, key: str) -> tuple[str, ...]:
    found = find(node, key)
    return tuple(text_of(item) or "" for item in found.items) if isinstance(found, ListNode) else ()


def _texts_by_key(node: Node | None) -> Mapping[str, str]:
    return {key: text_of(value) or "" for key, value in _entries(node)}


def _seconds(node: Node | None, key: str) -> float | None:
    text = _text(node, key)
    return None if text is None else seconds(text)


def _switch(node: Node | None, *path: str, default: bool) -> bool:
    found = find(node, *path)
    return found.value is True if isinstance(found, Scalar) else default


def _number(node: Node | None, *path: str, default: float) -> float:
    found = find(node, *path)
    value = found.value if isinstance(found, Scalar) else None
    return float(value) if isinstance(value, (int, float)) else default


def _whole(node: Node | None, *path: str, default: int) -> int:
    return int(_number(node, *path, default=default))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
