"""What the gateway itself says: JSON when asked for, a page to browsers, else short text; the reason also as a header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from controller.embedded.gateway.headers import Header
from controller.embedded.gateway.pages import page, paragraphs

REASON_HEADER = b"X-Pointsman-Gateway"


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` is stable CamelCase; `details` appear in JSON only; `html` and `text` replace the plain message."""

    status: int
    reason: str
    message: str
    hint: str | None = None
    headers: tuple[Header, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    html: str | None = None


class RefusedError(Exception):
    """The gateway answers this request itself."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


def rendered(answer: Answer, accept: str) -> tuple[list[Header], bytes]:
    """Headers and body for what the client accepts."""
    kind, body = _body(answer, accept.lower())
    content = body.encode()
    headers = [
        (b"Content-Type", kind.encode()),
        (b"Content-Length", str(len(content)).encode()),
        (b"Cache-Control", b"no-store"),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Vary", b"Accept"),
        (REASON_HEADER, answer.reason.encode()),
        *answer.headers,
    ]
    if kind.startswith("text/html"):
        headers.append((b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'"))
    return headers, content


def _body(answer: Answer, accept: str) -> tuple[str, str]:
    if "text/html" in accept:
        return "text/html; charset=utf-8", answer.html or _html(answer)
    if "json" in accept or answer.status == HTTPStatus.OK:
        return "application/json", json.dumps(_document(answer), indent=2, ensure_ascii=False) + "\n"
    hint = f"hint: {answer.hint}\n" if answer.hint else ""
    return "text/plain; charset=utf-8", f"{answer.message}\n{hint}"


def _document(answer: Answer) -> dict[str, Any]:
    if answer.status == HTTPStatus.OK:
        return dict(answer.details)
    document = {"status": answer.status, "reason": answer.reason, "message": answer.message, **answer.details}
    return {**document, "hint": answer.hint} if answer.hint else document


def _html(answer: Answer) -> str:
    title = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    hint = [f"Hint: {answer.hint}"] if answer.hint else []
    return page(title, paragraphs([answer.message, *hint]))
