"""A file by URL into the blob cache: streamed, resumed where it was cut, and trusted only by its digest."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx2

from controller.images.redirects import require_allowed
from controller.images.registry.bodies import blocks
from controller.images.sizes import FOR_THIS_MACHINE, Sizes
from controller.model.errors import PointsmanError, Stalled, Transient
from controller.model.ports import Progress

_BLOCK = 1 << 20
_SECONDS = 60.0
"""For a block; a server that takes longer (17 kB/s) would hold up every other build for days."""
_REDIRECTS = 5
_TIMEOUT = httpx2.Timeout(60.0, connect=15.0)
_TEMPORARY = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is to be fetched: from `url` to `partial`, which may hold the beginning already, as far as `sizes` lets it grow.

    `granted` are prefixes of addresses to which redirects may lead although they are in this network; None: any.
    """

    url: str
    partial: Path
    sizes: Sizes = FOR_THIS_MACHINE
    granted: tuple[str, ...] | None = None

    @property
    def shown(self) -> str:
        """The URL without credentials and query, which often carries a signature."""
        return shown(self.url)


def shown(url: str) -> str:
    """A URL as it may be printed."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        return "a malformed URL"
    return str(parsed.copy_with(username=None, password=None, query=None, fragment=None))


def download(transfer: Transfer, verify: ssl.SSLContext | bool, progress: Progress) -> str:
    """Complete the transfer's partial file and return its sha256.

    Raises `Transient` for faults of the network and the server, `Stalled` where it refuses or the file is too large.
    """
    with transfer.partial.open("ab+") as file, _errors(transfer), httpx2.Client(verify=verify, timeout=_TIMEOUT) as client:
        return _Download(transfer, file, progress).run(client)


class _Download:
    def __init__(self, transfer: Transfer, file: BinaryIO, progress: Progress) -> None:
        self._transfer = transfer
        self._file = file
        self._progress = progress
        self._digest = hashlib.sha256()
        self._done = 0

    def run(self, client: httpx2.Client) -> str:
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            self._count(block)
        with _responses(client, self._transfer, self._done) as response:
            self._receive(response)
        return self._digest.hexdigest()

    def _receive(self, response: httpx2.Response) -> None:
        if response.status_code == 416:
            # Nothing follows: the whole file was here already, or a longer one than the server's; the digest decides.
            return
        if response.status_code not in (200, 206):
            raise _refused(self._transfer, response)
        if response.status_code == 200 or not _continues(response, self._done):
            self._restart(response)
        total = self._done + int(response.headers.get("content-length") or 0)
        self._limit(total)
        for block in blocks(response, _BLOCK, _SECONDS):
            self._file.write(block)
            self._count(block)
            self._limit(self._done)
            self._progress(f"fetching {self._transfer.shown}", self._done, total)

    def _restart(self, response: httpx2.Response) -> None:
        self._file.truncate(0)
        self._digest, self._done = hashlib.sha256(), 0
        if response.status_code == 206:
            raise Transient(f"{self._transfer.shown} answered with another part than the one asked for")

    def _count(self, block: bytes) -> None:
        self._digest.update(block)
        self._done += len(block)

    def _limit(self, size: int) -> None:
        try:
            self._transfer.sizes.require_file(self._transfer.shown, size)
        except Stalled:
            self._file.truncate(0)
            raise


@contextmanager
def _responses(client: httpx2.Client, transfer: Transfer, start: int) -> Iterator[httpx2.Response]:
    """The answer to a GET from byte `start`, after redirects that stay on https and out of this network."""
    headers = {"accept-encoding": "identity"} | ({"range": f"bytes={start}-"} if start else {})
    target = begun = httpx2.URL(transfer.url)
    for _ in range(_REDIRECTS):
        if target.scheme != "https":
            raise Stalled(f"{transfer.shown} redirects to {shown(str(target))}, which is not https")
        if target != begun and transfer.granted is not None:
            require_allowed(target, begun, transfer.granted)
        with client.stream("GET", target, headers=headers) as response:
            if not response.has_redirect_location:
                yield response
                return
            target = target.join(response.headers["location"])
    raise Stalled(f"{transfer.shown} redirects more than {_REDIRECTS} times")


def _continues(response: httpx2.Response, start: int) -> bool:
    return bool(response.headers.get("content-range", "").startswith(f"bytes {start}-"))


def _refused(transfer: Transfer, response: httpx2.Response) -> PointsmanError:
    status = response.status_code
    message = f"{transfer.shown} answers {status} {response.reason_phrase}".rstrip()
    if status >= 500 or status in _TEMPORARY:
        return Transient(message, hint="it is tried again")
    return Stalled(message, hint="check the URL and whether it needs credentials; a signed URL may have expired")


@contextmanager
def _errors(transfer: Transfer) -> Iterator[None]:
    try:
        yield
    except httpx2.InvalidURL as error:
        raise Stalled(f"{transfer.shown} cannot be fetched: {error}") from error
    except httpx2.HTTPError as error:
        hint = "it is tried again, from where it stopped"
        raise Transient(f"{transfer.shown} cannot be fetched: {error or type(error).__name__}", hint=hint) from error
