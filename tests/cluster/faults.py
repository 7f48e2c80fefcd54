"""The ways in which a request to an API server fails (`fault_proxy.py` does it)."""

from __future__ import annotations

import json

from tests.cluster.fault_proxy import Exchange
from tests.cluster.fault_rules import Answer, Fault

_REASONS = {403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}


def answer(code: int, message: str = "the server is unwell", *, retry_after: int | None = None) -> Fault:
    """An API server's own refusal."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
    body = json.dumps({**status, "reason": _REASONS.get(code, "ServiceUnavailable")}).encode()
    after = {"Retry-After": str(retry_after)} if retry_after is not None else {}
    return lambda exchange: exchange.reply(Answer(code, {"Content-Type": "application/json", **after}, body))


def page(code: int) -> Fault:
    """What something between here and the API server says that is no API server."""
    return lambda exchange: exchange.reply(Answer(code, {"Content-Type": "text/html"}, b"<html>no such backend</html>"))


def forbidden(exchange: Exchange) -> None:
    """As when a role lacks a rule."""
    asked = exchange.asked
    answer(403, f'{asked.resource} "{asked.name}" is forbidden: User "it" cannot {asked.verb} resource')(exchange)


def expired_event(exchange: Exchange) -> None:
    """A watch that begins well and says at once that its version is too old."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}
    body = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
    exchange.reply(Answer(200, {"Content-Type": "application/json"}, body))


def lost_before(exchange: Exchange) -> None:
    """The request never arrives."""
    exchange.reset()


def lost_after(exchange: Exchange) -> None:
    """The request is carried out, and nobody hears of it."""
    exchange.forward()
    exchange.reset()


def cut(length: int) -> Fault:
    """The request is carried out; of the answer's body only so many bytes arrive."""
    return lambda exchange: exchange.reply(exchange.forward(), cut=length)


def hang(exchange: Exchange) -> None:
    """Nothing happens and nothing is said, for as long as the rule is in force."""
    exchange.wait()
    exchange.reset()


def late(exchange: Exchange) -> None:
    """The request is carried out when the rule is lifted, long after its sender gave up."""
    exchange.wait()
    exchange.forward()
    exchange.reset()


def delayed(seconds: float) -> Fault:
    """The request and its answer arrive, later."""

    def fault(exchange: Exchange) -> None:
        exchange.wait(seconds)
        exchange.relay()

    return fault


def in_pages(exchange: Exchange) -> None:
    """A list is given out two objects at a time, as if there were very many."""
    exchange.reply(exchange.forward(limit="2"))
