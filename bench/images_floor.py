"""The floor: how long a registry takes to receive the bytes of an image, from a client that does nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

_BLOCK = 1 << 20
_TIMEOUT = 600


class BareClient:
    """One connection, one request after the other; every digest is known and nothing is asked first."""

    def __init__(self, address: str, repository: str) -> None:
        self._connection = HTTPConnection(address, timeout=_TIMEOUT, blocksize=_BLOCK)
        self._repository = repository

    def push(self, blobs: Sequence[tuple[str, Path]], manifest: bytes, tag: str, media_type: str) -> None:
        """Each blob by POST and PUT, then the manifest at its tag."""
        for digest, path in blobs:
            place = urlsplit(self._ask("POST", f"/v2/{self._repository}/blobs/uploads/", 202))
            with path.open("rb") as body:
                length = {"content-length": str(path.stat().st_size), "content-type": "application/octet-stream"}
                self._ask("PUT", f"{place.path}?{place.query}&digest={digest}", 201, body, length)
        self._ask("PUT", f"/v2/{self._repository}/manifests/{tag}", 201, manifest, {"content-type": media_type})

    def mount(self, digests: Iterable[str], source: str) -> None:
        """Take over the base's blobs, so that a manifest may name them."""
        for digest in digests:
            self._ask("POST", f"/v2/{self._repository}/blobs/uploads/?mount={digest}&from={source}", 201)

    def look(self, tag: str, media_type: str) -> None:
        """The one question that a build without a change costs."""
        self._ask("HEAD", f"/v2/{self._repository}/manifests/{tag}", 200, headers={"accept": media_type})

    def close(self) -> None:
        self._connection.close()

    def _ask(
        self, method: str, path: str, status: int, body: IO[bytes] | bytes | None = None, headers: dict[str, str] | None = None
    ) -> str:
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == status, text
        return answer.headers.get("location", "")
