"""Multipart forms for golden requests: the same fields give the same bytes."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass

_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
_TYPES = mimetypes.MimeTypes()
"""Python's own table; the machine's files are not read."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field; `filename` None for text."""

    name: str
    content: bytes
    filename: str | None = None
    media_type: str | None = None


def media_type(filename: str) -> str:
    """The media type by the file's name."""
    return _TYPES.guess_type(filename)[0] or "application/octet-stream"


def encode(fields: Sequence[FormField]) -> tuple[str, bytes]:
    """(content type, body). The boundary is a hash of the content, so it is stable and does not occur in it."""
    digest = hashlib.sha256()
    for field in fields:
        digest.update(repr((field.name, field.filename, field.content)).encode())
    boundary = f"pointsman-{digest.hexdigest()[:32]}"
    parts = [b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), _head(field), field.content) for field in fields]
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + b"--%s--\r\n" % boundary.encode()


def _head(field: FormField) -> bytes:
    # Names are escaped as browsers do (HTML, "multipart/form-data encoding algorithm").
    head = f'Content-Disposition: form-data; name="{field.name.translate(_ESCAPES)}"'
    if field.filename is not None:
        kind = field.media_type or media_type(field.filename)
        head += f'; filename="{field.filename.translate(_ESCAPES)}"\r\nContent-Type: {kind}'
    return head.encode()
