"""A rule's filters, compiled. What is not understood is refused: serving without a filter could mean serving open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.embedded.gateway.headers import Header, HeaderModifier
from controller.model.identity import ObjectKey

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]{0,4096}")
_FRAMING = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})


class UnsupportedError(Exception):
    """A route asks for what this gateway does not do; `reason` is Gateway API's word for the condition."""

    def __init__(self, message: str, *, reason: str = "UnsupportedValue") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Filters:
    """In the order in which they work: `access` (a Secret with users) first, then the path, then the headers."""

    access: ObjectKey | None = None
    replace_prefix: str | None = None
    request: tuple[HeaderModifier, ...] = ()
    response: tuple[HeaderModifier, ...] = ()

    @property
    def request_names(self) -> list[bytes]:
        """The request headers that are the gateway's word and not the client's."""
        return [name for modifier in self.request for name, _ in modifier.set] + [
            name for modifier in self.request for name in modifier.remove
        ]


def compile_filters(items: Iterable[Mapping[str, Any]], namespace: str) -> Filters:
    """Raises `UnsupportedError` for any filter that would not be carried out whole."""
    filters = Filters()
    for item in items:
        kind = str(item.get("type"))
        if kind not in _KINDS:
            raise UnsupportedError(f"the filter {kind} is not supported")
        filters = _KINDS[kind](filters, item, namespace)
    return filters


def _request_headers(filters: Filters, item: Mapping[str, Any], _: str) -> Filters:
    return replace(filters, request=(*filters.request, _modifier(item["requestHeaderModifier"])))


def _response_headers(filters: Filters, item: Mapping[str, Any], _: str) -> Filters:
    return replace(filters, response=(*filters.response, _modifier(item["responseHeaderModifier"])))


def _rewrite(filters: Filters, item: Mapping[str, Any], _: str) -> Filters:
    rewrite = item["urlRewrite"]
    path = rewrite.get("path") or {}
    if set(rewrite) != {"path"} or path.get("type") != "ReplacePrefixMatch" or filters.replace_prefix is not None:
        raise UnsupportedError("of URLRewrite only one ReplacePrefixMatch is supported")
    value = str(path["replacePrefixMatch"])
    if not value.startswith("/") or not value.isascii() or not value.isprintable() or set(value) & set(" ?#"):
        raise UnsupportedError("the replacement of a prefix must be a path")
    return replace(filters, replace_prefix=value.rstrip("/"))


def _access(filters: Filters, item: Mapping[str, Any], namespace: str) -> Filters:
    reference = item["extensionRef"]
    if (reference.get("group"), reference.get("kind")) != ("pointsman.dev", "BasicAuth") or filters.access is not None:
        raise UnsupportedError(f"the extension {reference.get('group')}/{reference.get('kind')} is not supported here")
    return replace(filters, access=ObjectKey("Secret", namespace, str(reference["name"])))


_KINDS: Mapping[str, Callable[[Filters, Mapping[str, Any], str], Filters]] = {
    "RequestHeaderModifier": _request_headers,
    "ResponseHeaderModifier": _response_headers,
    "URLRewrite": _rewrite,
    "ExtensionRef": _access,
}


def _modifier(source: Mapping[str, Any]) -> HeaderModifier:
    if set(source) - {"set", "add", "remove"}:
        raise UnsupportedError("a header modifier knows set, add and remove")
    return HeaderModifier(
        set=tuple(_header(h) for h in source.get("set") or ()),
        add=tuple(_header(h) for h in source.get("add") or ()),
        remove=frozenset(_name(str(n)).lower() for n in source.get("remove") or ()),
    )


def _header(item: Mapping[str, Any]) -> Header:
    value = str(item["value"])
    if not _VALUE.fullmatch(value):
        raise UnsupportedError(f"the value of the header {item['name']} cannot be sent")
    return _name(str(item["name"])), value.strip().encode("latin-1")


def _name(name: str) -> bytes:
    if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
        raise UnsupportedError(f"the header {name!r} cannot be changed by a route")
    return name.encode("ascii")
