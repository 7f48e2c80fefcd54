"""Bodies of answers. Whoever names a base image or a file chooses who sends them: neither endless nor endlessly slow."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2

_LARGEST = 8 << 20
_SECONDS = 60.0
_BLOCK = 1 << 20
"""Bytes of a block; one that takes longer than `_SECONDS` (17 kB/s) counts as silence."""


class TooLarge(httpx2.HTTPError):
    """A body that is no document of a registry any more."""


def document(response: httpx2.Response, largest: int = _LARGEST, seconds: float = _SECONDS) -> bytes:
    """A small body, whole and as it was sent. Raises `TooLarge`, or `ReadTimeout` for one that takes too long."""
    end = time.monotonic() + seconds
    received = bytearray()
    for part in response.iter_raw():
        received += part
        if len(received) > largest:
            raise TooLarge(f"the answer of {response.url.host} is larger than {largest} bytes")
        if time.monotonic() > end:
            raise httpx2.ReadTimeout(f"the answer took longer than {seconds:g} s")
    return bytes(received)


def blocks(response: httpx2.Response, size: int = _BLOCK, seconds: float = _SECONDS) -> Iterator[bytes]:
    """A large body in blocks of about `size` bytes. Raises `ReadTimeout` where one does not come together in time."""
    gathered, begun = bytearray(), time.monotonic()
    for part in response.iter_raw():
        gathered += part
        if len(gathered) >= size:
            yield bytes(gathered)
            gathered.clear()
            begun = time.monotonic()
        elif time.monotonic() - begun > seconds:
            raise httpx2.ReadTimeout(f"{len(gathered)} bytes in {seconds:g} s")
    if gathered:
        yield bytes(gathered)
