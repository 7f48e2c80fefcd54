"""One client's request, checked for what the grammar alone lets through."""

from __future__ import annotations

from dataclasses import dataclass

import h11

from controller.embedded.gateway.answers import Answer, RefusedError
from controller.embedded.gateway.headers import Header, tokens_of, value_of


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """`target` is the origin form exactly as written; `path` is its part before the query."""

    method: bytes
    target: bytes
    path: str
    headers: tuple[Header, ...]
    host: bytes
    peer: str
    has_body: bool
    chunked: bool
    upgrade: bytes | None

    @property
    def repeatable(self) -> bool:
        """Whether a broken connection may be tried once more: nothing changes by asking twice."""
        return self.method in (b"GET", b"HEAD") and not self.has_body and self.upgrade is None

    @property
    def query(self) -> bytes:
        return self.target.partition(b"?")[2]

    def header(self, name: bytes) -> bytes | None:
        return value_of(self.headers, name)


def read_request(event: h11.Request, *, peer: str, header_bytes: int) -> ClientRequest:
    """The request, or `RefusedError` where two readers could understand it differently."""
    headers = tuple(event.headers.raw_items())
    _check_size(headers, header_bytes)
    coding, length = value_of(headers, b"transfer-encoding"), value_of(headers, b"content-length")
    _check_framing(event, coding, length)
    target, authority = _origin_form(event)
    return ClientRequest(
        method=event.method,
        target=target,
        path=target.partition(b"?")[0].decode("latin-1"),
        headers=headers,
        host=authority or value_of(headers, b"host") or b"",
        peer=peer,
        has_body=coding is not None or int(length or 0) > 0,
        chunked=coding is not None,
        upgrade=_upgrade(event, headers),
    )


def _check_size(headers: tuple[Header, ...], limit: int) -> None:
    # h11 bounds an incomplete head only; one that came in a single packet is measured here
    if sum(len(name) + len(value) + 4 for name, value in headers) > limit:
        raise RefusedError(Answer(431, "HeadersTooLarge", f"The request's headers are larger than {limit} bytes."))


def _check_framing(event: h11.Request, coding: bytes | None, length: bytes | None) -> None:
    if coding is not None and length is not None:
        raise _bad("The request has both Content-Length and Transfer-Encoding.")
    if coding is not None and event.http_version < b"1.1":
        raise _bad("An HTTP/1.0 request cannot have a Transfer-Encoding.")


def _origin_form(event: h11.Request) -> tuple[bytes, bytes]:
    """(target, authority of an absolute form or empty)."""
    target = event.target
    if event.method == b"CONNECT":
        raise RefusedError(Answer(405, "MethodNotAllowed", "This gateway is no forward proxy: CONNECT is not served."))
    if target[:7].lower() == b"http://":
        authority, slash, rest = target[7:].partition(b"/")
        if not authority or b"?" in authority or b"@" in authority:
            raise _bad("The request's target is not a URL that this gateway serves.")
        return slash + rest or b"/", authority
    if not target.startswith(b"/"):
        raise _bad("The request's target must begin with `/`.")
    return target, b""


def _upgrade(event: h11.Request, headers: tuple[Header, ...]) -> bytes | None:
    if event.http_version < b"1.1" or b"upgrade" not in tokens_of(headers, b"connection"):
        return None
    return value_of(headers, b"upgrade")


def _bad(message: str) -> RefusedError:
    return RefusedError(Answer(400, "BadRequest", message))
