"""The head that an endpoint sees and the head that a client sees, with the route's filters applied."""

from __future__ import annotations

import h11

from controller.embedded.gateway.headers import Header, end_to_end, forwarded, without_lookalikes
from controller.embedded.gateway.request import ClientRequest
from controller.embedded.gateway.route import CompiledRoute


def request_head(request: ClientRequest, route: CompiledRoute) -> h11.Request:
    """The client's request as its endpoint gets it: the target unchanged unless the route rewrites it."""
    headers = [h for h in end_to_end(request.headers) if h[0].lower() != b"host"]
    headers = forwarded(headers, peer=request.peer, host=request.host)
    headers = without_lookalikes(headers, route.filters.request_names)
    for modifier in route.filters.request:
        headers = modifier.apply(headers)
    if route.filters.access is not None:
        headers = [h for h in headers if h[0].lower() != b"authorization"]
    headers = [(b"Host", request.host), *headers, *_connection(request)]
    return h11.Request(method=request.method, target=_target(request, route), headers=headers)


def response_headers(response: h11.Response | h11.InformationalResponse, route: CompiledRoute) -> list[Header]:
    """The endpoint's response headers as the client gets them."""
    headers = end_to_end(list(response.headers.raw_items()))
    for modifier in route.filters.response:
        headers = modifier.apply(headers)
    return headers


def _connection(request: ClientRequest) -> list[Header]:
    framing = [(b"Transfer-Encoding", b"chunked")] if request.chunked else []
    if request.upgrade is not None:
        return [*framing, (b"Connection", b"Upgrade"), (b"Upgrade", request.upgrade)]
    return [*framing, (b"Connection", b"close")]


def _target(request: ClientRequest, route: CompiledRoute) -> bytes:
    """ReplacePrefixMatch by whole elements: `/foo/bar` with `/foo` -> `/` is `/bar`, and `/foo` is `/`."""
    if route.filters.replace_prefix is None:
        return request.target
    path, question, query = request.target.partition(b"?")
    rest = path[len(route.prefix.rstrip("/")) :]
    return (route.filters.replace_prefix.encode() + rest or b"/") + question + query
