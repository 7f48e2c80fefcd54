"""What a schema cannot say of `controller.yaml`: values that must fit each other."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from controller.loading.durations import seconds
from controller.loading.nodes import ListNode, MapNode, Node, Scalar, find, location, text_of
from controller.loading.schema_problems import did_you_mean
from controller.model.diagnostics import Diagnostic, Severity, Subject

_WAYS = ("kubernetes", "inCluster", "embedded")
_OF_CLUSTERS = ("gateway", "registry", "allowExec", "pullSecrets", "security", "namespace", "controllerNamespace", "rate")
"""Settings that the embedded cluster has no use for."""
_OF_HTTPS = ("tokenFile", "username", "caFile")
_OF_SSH = ("sshKeyFile", "knownHostsFile")
_LARGEST_PORT = 65535


def check(root: Node, file: str, subject: Subject) -> Iterator[Diagnostic]:
    """Every mistake of a document that passed its schema."""
    checker = _Checker(file, subject)
    targets, sources = _entries(root, "targets"), _entries(root, "sources")
    indexes = _entries(find(root, "dependencies"), "indexes")
    yield from checker.defaults(root, targets)
    for name, target in targets.items():
        yield from checker.target(name, target)
    yield from checker.clean_up(targets)
    yield from checker.twice(sources)
    for source in sources.values():
        yield from checker.granted_targets(source, targets)
        yield from checker.credentials(source)
        yield from checker.granted_indexes(source, indexes)
    yield from checker.indexes(indexes)
    yield from checker.port(find(root, "health", "address"))


class _Checker:
    def __init__(self, file: str, subject: Subject) -> None:
        self._file = file
        self._subject = subject

    def defaults(self, root: Node, targets: dict[str, Node]) -> Iterator[Diagnostic]:
        said = {name: place for name, node in targets.items() if (place := _said(node, "default"))}
        if len(said) > 1:
            names = " and ".join(f"`{name}`" for name in said)
            yield self._error("PM702", f"{names} are both the default target", list(said.values())[-1], "keep one of them")
        elif not said and len(targets) > 1:
            hint = f"write `default: true` below one of them, such as `{next(iter(targets))}`"
            yield self._error("PM702", "no target is the default one", _key(root, "targets"), hint)

    def target(self, name: str, node: Node) -> Iterator[Diagnostic]:
        ways = [way for way in _WAYS if find(node, way) is not None and (way != "inCluster" or _said(node, way))]
        if len(ways) != 1:
            many = f"target `{name}` is reached in {len(ways)} ways" if ways else f"nothing says how target `{name}` is reached"
            place = _key(node, ways[1]) if ways else node
            hint = "give one of `kubernetes: {context: ...}`, `inCluster: true` and `embedded: {}`"
            yield self._error("PM701", many, place, hint)
        elif ways == ["embedded"]:
            yield from self._useless(node)
        else:
            yield from self._cluster(name, node)

    def _useless(self, node: Node) -> Iterator[Diagnostic]:
        for key in _OF_CLUSTERS:
            if find(node, key) is not None:
                message = f"`{key}` means nothing for the embedded cluster"
                yield self._error("PM703", message, _key(node, key), "remove it")

    def _cluster(self, name: str, node: Node) -> Iterator[Diagnostic]:
        for key, hint in (
            ("gateway", "write `gateway: {url: https://ml.example.com}`"),
            ("registry", "write `registry: {url: https://registry.example.com/pointsman}`"),
        ):
            if find(node, key) is None:
                yield self._error("PM202", f"`{key}` is missing for target `{name}`", node, hint)
        if find(node, "gateway", "replicas") and find(node, "gateway", "pods"):
            message = "`replicas` and `pods` both say where the gateway's replicas are"
            yield self._error("PM703", message, _key(find(node, "gateway"), "pods"), "keep one of them")
        url = find(node, "registry", "url")
        if (text_of(url) or "").startswith("http://") and not _said(find(node, "registry"), "insecure"):
            hint = "use https, or write `insecure: true` where nobody else can read the line"
            yield self._error("PM704", "images would be pushed over plain HTTP", url, hint)
        if find(node, "allowExec") is not None and find(node, "kubernetes") is None:
            message = "`allowExec` is about the plug-ins of a kubeconfig, and there is none"
            yield self._error("PM703", message, _key(node, "allowExec"), "remove it")

    def clean_up(self, targets: dict[str, Node]) -> Iterator[Diagnostic]:
        """Targets that share a registry share its images: what one lets go, the other may need."""
        first: dict[str, tuple[str, float | None]] = {}
        for name, node in targets.items():
            registry = find(node, "registry")
            keep = text_of(find(registry, "cleanUp", "keep"))
            said = name, None if keep is None else seconds(keep)
            for address in _addresses(registry):
                other = first.setdefault(address, said)
                if other[1] != said[1]:
                    message = f"targets `{other[0]}` and `{name}` push to {address} and say different things of `cleanUp`"
                    place = _key(registry, "cleanUp") or registry
                    yield self._error("PM711", message, place, "write the same `cleanUp` for both, or for none of them")
                    break

    def granted_targets(self, source: Node, targets: dict[str, Node]) -> Iterator[Diagnostic]:
        granted = find(source, "grants", "targets")
        for item in granted.items if isinstance(granted, ListNode) else ():
            name = text_of(item) or ""
            if name != "*" and name not in targets:
                yield self._error("PM705", f"there is no target `{name}`", item, did_you_mean(name, targets))

    def granted_indexes(self, source: Node, indexes: dict[str, Node]) -> Iterator[Diagnostic]:
        granted = find(source, "grants", "indexes")
        for item in granted.items if isinstance(granted, ListNode) else ():
            name = text_of(item) or ""
            if name != "*" and name not in indexes:
                hint = did_you_mean(name, indexes) or "name it in `dependencies.indexes`"
                yield self._error("PM705", f"there is no package index `{name}`", item, hint)

    def indexes(self, indexes: dict[str, Node]) -> Iterator[Diagnostic]:
        defaults = {name: place for name, node in indexes.items() if (place := _said(node, "default"))}
        if len(defaults) > 1:
            names = " and ".join(f"`{name}`" for name in defaults)
            yield self._error("PM702", f"{names} are both the default index", list(defaults.values())[-1], "keep one of them")
        for name, node in indexes.items():
            url = find(node, "url")
            if find(node, "credentials") is not None and _is_open(text_of(url) or ""):
                message = f"the password of the package index `{name}` would go over plain HTTP"
                yield self._error("PM704", message, url, "use https")

    def credentials(self, source: Node) -> Iterator[Diagnostic]:
        """A token goes with https, a key with ssh; anything else would be ignored without a word."""
        url = text_of(find(source, "repository")) or ""
        given, is_https = find(source, "credentials"), url.startswith("https://")
        is_ssh = not is_https and not url.startswith(("/", "file:"))
        wrong = [*(() if is_https else _OF_HTTPS), *(() if is_ssh else _OF_SSH)]
        for key in wrong:
            if find(given, key) is not None:
                hint = "a token goes with https://, a key with ssh:// or user@host:path"
                yield self._error("PM706", f"`{key}` does not go with this repository's URL", _key(given, key), hint)
        if is_ssh and find(given, "knownHostsFile") is None:
            hint = "ssh-keyscan HOST > known_hosts, compare it with the forge's page, and name it as `knownHostsFile`"
            yield self._error("PM706", "nothing says which host keys the forge has", _key(source, "repository"), hint)
        if "@" in url.partition("://")[2].partition("/")[0] and is_https:
            hint = "remove it from the URL and give it as `credentials: {tokenFile: ...}`"
            yield self._error("PM706", "the repository's URL holds a credential", _key(source, "repository"), hint)

    def twice(self, sources: dict[str, Node]) -> Iterator[Diagnostic]:
        """Two sources of one directory would declare the same project."""
        seen: dict[tuple[str | None, str], str] = {}
        for name, node in sources.items():
            place = (text_of(find(node, "repository")), text_of(find(node, "path")) or "pointsman")
            first = seen.setdefault(place, name)
            if first != name:
                message = f"sources `{first}` and `{name}` read the same directory of one repository"
                yield self._error("PM707", message, node, "remove one, or name another `path`")

    def port(self, address: Node | None) -> Iterator[Diagnostic]:
        text = text_of(address)
        if text and not 0 <= int(text.rpartition(":")[2]) <= _LARGEST_PORT:
            yield self._error("PM204", f"`address` cannot be `{text}`", address, f"the largest port is {_LARGEST_PORT}")

    def _error(self, code: str, message: str, node: Node | None, hint: str | None) -> Diagnostic:
        return Diagnostic(code, Severity.ERROR, message, location(self._file, node), self._subject, hint)


def _addresses(registry: Node | None) -> tuple[str, ...]:
    """What tells registries apart: where they are pushed to, and the name that they are pulled by."""
    url = text_of(find(registry, "url"))
    if url is None:
        return ()
    pushed = url.partition("://")[2]
    return tuple(dict.fromkeys((pushed, text_of(find(registry, "pull")) or pushed)))


def _entries(parent: Node | None, key: str) -> dict[str, Node]:
    node = find(parent, key)
    return dict(node.items()) if isinstance(node, MapNode) else {}


def _is_open(url: str) -> bool:
    """Whether others could read along: plain HTTP that leaves this machine."""
    return url.startswith("http://") and urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1")


def _key(node: Node | None, key: str) -> Scalar | None:
    return node.key(key) if isinstance(node, MapNode) else None


def _said(node: Node | None, key: str) -> Scalar | None:
    """The key, where its value is true."""
    value = find(node, key)
    return _key(node, key) if isinstance(value, Scalar) and value.value is True else None
