"""Header fields: what ends at this hop, what the gateway adds, what a route's filters change (RFC 9110, section 7.6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Header: TypeAlias = tuple[bytes, bytes]

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NEVER_NOMINATED = frozenset({b"content-length", b"host"})
"""A `Connection` header may name fields to drop; the framing and the host are not the sender's to take away."""


def value_of(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The first value of a field, by its lower-case name."""
    return next((value for key, value in headers if key.lower() == name), None)


def tokens_of(headers: Iterable[Header], name: bytes) -> frozenset[bytes]:
    """The comma-separated, lower-case tokens of all fields of a name."""
    values = (value for key, value in headers if key.lower() == name)
    return frozenset(token.strip().lower() for value in values for token in value.split(b",") if token.strip())


def end_to_end(headers: Sequence[Header]) -> list[Header]:
    """The fields that pass a proxy. A length beside a transfer coding is no length (RFC 9112, section 6.3)."""
    dropped = _HOP_BY_HOP | (tokens_of(headers, b"connection") - _NEVER_NOMINATED)
    if value_of(headers, b"transfer-encoding") is not None:
        dropped |= {b"content-length"}
    return [header for header in headers if header[0].lower() not in dropped]


@dataclass(frozen=True, slots=True)
class HeaderModifier:
    """Gateway API's `RequestHeaderModifier` or `ResponseHeaderModifier`: set replaces, add appends, remove drops."""

    set: tuple[Header, ...] = ()
    add: tuple[Header, ...] = ()
    remove: frozenset[bytes] = frozenset()

    def apply(self, headers: list[Header]) -> list[Header]:
        replaced = self.remove | {name.lower() for name, _ in self.set}
        kept = [header for header in headers if header[0].lower() not in replaced]
        return [*kept, *self.set, *self.add]


def without_lookalikes(headers: Iterable[Header], names: Iterable[bytes]) -> list[Header]:
    """Drop `X_VH_Prefix` where `X-VH-Prefix` is the gateway's word: to WSGI and CGI both are the same variable."""
    protected = {name.lower() for name in names}
    return [h for h in headers if b"_" not in h[0] or h[0].lower().replace(b"_", b"-") not in protected]


def forwarded(headers: list[Header], *, peer: str, host: bytes) -> list[Header]:
    """Say who asked and under which name: `X-Forwarded-For` grows, the others are the gateway's own."""
    names = (b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host")
    before = [value for key, value in headers if key.lower() == b"x-forwarded-for"]
    lower = {name.lower() for name in names}
    kept = without_lookalikes((h for h in headers if h[0].lower() not in lower), names)
    chain = b", ".join([*before, peer.encode("ascii", "replace")])
    return [*kept, (names[0], chain), (names[1], b"http"), (names[2], host)]
