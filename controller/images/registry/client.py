"""The calls of the distribution API that pushing an image needs.

Facts: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md; where distribution 2.8 differs from it, the
comments say so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from controller.images.registry.bodies import blocks, document
from controller.images.registry.reference import require_digest
from controller.images.registry.session import TRIES, Answer, Busy, Call, Refused, Session, Tick, refusal
from controller.model.errors import PointsmanError, Stalled, Unavailable

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = (OCI_INDEX, DOCKER_INDEX)
_ACCEPT = {"accept": ", ".join((OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_INDEX))}
"""All four: with fewer, distribution converts to the old schema 1 and answers 200."""

_LARGEST_MANIFEST = 4 << 20
_LOOKS = 2
_STORING = 300.0
"""Seconds for a registry to put away what it received: over an object store it copies the whole blob before it answers."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index as it lies in a registry."""

    digest: str
    media_type: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """A blob that a repository has begun to receive; `url` is where it goes on."""

    repository: str
    url: str


class RegistryClient:
    """One registry during one build: `tick` is called while anything is waited for, and raises to give up."""

    def __init__(self, session: Session, tick: Tick) -> None:
        self.session = session
        self.tick = tick

    def manifest_digest(self, repository: str, name: str) -> str | None:
        """The digest of the manifest that a tag or digest leads to, without its bytes; None where there is none."""
        call = Call("HEAD", _manifest(repository, name), _pull(repository), f"look for {repository}:{name}", _ACCEPT)
        answer = self.session.call(call, self.tick)
        if answer.status == 404:
            return None
        self._expect(call, answer, 200)
        digest = answer.headers.get("docker-content-digest", "")
        if digest:
            return require_digest(digest)
        found = self.manifest(repository, name)
        return found.digest if found else None

    def manifest(self, repository: str, name: str) -> Manifest | None:
        """The manifest or index; None where there is none. Raises `Stalled` for schema 1 and for a lying digest."""
        call = Call("GET", _manifest(repository, name), _pull(repository), f"read {repository}:{name}", _ACCEPT)
        answer = self.session.call(call, self.tick)
        if answer.status == 404:
            return None
        self._expect(call, answer, 200)
        digest = digest_of(answer.body)
        if name.startswith("sha256:") and name != digest:
            raise Unavailable(f"{self.session.name} answers for {repository}@{name} with the bytes of {digest}")
        document = self._parsed(answer.body, f"{repository}:{name}")
        media_type = document.get("mediaType") or answer.headers.get("content-type", "").partition(";")[0]
        if document.get("schemaVersion") != 2:
            hint = "push it again with a current tool"
            raise Stalled(f"{self.session.name} has {repository}:{name} only in the obsolete schema 1", hint=hint)
        return Manifest(digest, media_type, document)

    def put_manifest(self, repository: str, name: str, data: bytes) -> None:
        """Let `name`, a tag or the digest, lead to a manifest. Raises `Refused` where it names blobs that are missing."""
        if len(data) > _LARGEST_MANIFEST:
            raise Stalled(f"the manifest has {len(data)} bytes; registries take {_LARGEST_MANIFEST}")
        call = Call(
            "PUT",
            _manifest(repository, name),
            _push(repository),
            f"publish {repository}:{name}",
            {"content-type": OCI_MANIFEST},
            lambda: iter((data,)),
            len(data),
        )
        self._expect(call, self.session.call(call, self.tick), 201)

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the blob's first byte can be read.

        A HEAD is not enough: after garbage collection distribution 2.8 still answers it from memory, and takes manifests
        that nobody can pull (https://github.com/distribution/distribution/issues/1803). A blob that cannot be read counts
        as missing: sending it again mends both. Raises `Unavailable` for a registry that asks to be left alone for good.
        """
        headers = {"range": "bytes=0-0"}
        call = Call("GET", _blob(repository, digest), _pull(repository), f"look for {digest} in {repository}", headers)
        for attempt in range(1, TRIES + 1):
            try:
                with self.session.open(call, self.tick) as response:
                    return response.status_code in (200, 206) and bool(next(response.iter_raw(), b""))
            except Busy as busy:
                if attempt >= _LOOKS and not busy.asked:
                    break
                self.session.rest(busy, attempt, TRIES, self.tick)
        return False

    def document(self, repository: str, digest: str) -> dict[str, Any]:
        """A small JSON blob, verified. Raises `Stalled` where it is not there."""
        call = Call("GET", _blob(repository, digest), _pull(repository), f"read {digest} of {repository}")
        answer = self.session.call(call, self.tick)
        self._expect(call, answer, 200)
        if digest_of(answer.body) != digest:
            raise Unavailable(f"{self.session.name} answers for {repository}@{digest} with other bytes")
        return self._parsed(answer.body, f"{repository}@{digest}")

    @contextmanager
    def reading(self, repository: str, digest: str) -> Iterator[Iterator[bytes]]:
        """A blob's bytes in blocks, unverified: one try, without anything kept in memory."""
        call = Call("GET", _blob(repository, digest), _pull(repository), f"read {digest} of {repository}")
        with self.session.open(call, self.tick) as response:
            if response.status_code != 200:
                raise refusal(self.session, call, Answer(response.status_code, response.headers, document(response)))
            yield blocks(response)

    def mount(self, repository: str, digest: str, source: str) -> Upload | None:
        """Take a blob over from another repository of this registry: None when it is done, else the upload to use instead.

        `Forbidden` where the registry does not let us read the source; then the blob has to be copied.
        """
        url = f"/v2/{repository}/blobs/uploads/?mount={quote(digest)}&from={quote(source, safe='')}"
        call = Call("POST", url, f"{_push(repository)} {_pull(source)}", f"take over {digest} from {source}")
        answer = self.session.call(call, self.tick)
        if answer.status == 201:
            return None
        self._expect(call, answer, 202)
        return self._begun(repository, call, answer)

    def start(self, repository: str) -> Upload:
        """Begin to send a blob."""
        call = Call("POST", f"/v2/{repository}/blobs/uploads/", _push(repository), f"begin an upload to {repository}")
        answer = self.session.call(call, self.tick)
        self._expect(call, answer, 202)
        return self._begun(repository, call, answer)

    def finish(self, upload: Upload, digest: str, size: int, content: Callable[[], Iterator[bytes]]) -> None:
        """Send all bytes at once and name their digest: one try. Raises `Unavailable` where another may help."""
        url = httpx2.URL(upload.url).copy_merge_params({"digest": digest})
        headers = {"content-type": "application/octet-stream"}
        action = f"receive {digest} in {upload.repository}"
        call = Call("PUT", str(url), _push(upload.repository), action, headers, content, size, _STORING)
        with self.session.open(call, self.tick) as response:
            answer = Answer(response.status_code, response.headers, document(response))
        if answer.status in (400, 404, 416):
            # The upload is gone with any fault in it, and a digest that does not match is one: only another whole try tells.
            raise Unavailable(refusal(self.session, call, answer).message)
        self._expect(call, answer, 201)

    def cancel(self, upload: Upload) -> None:
        """Let go of an upload that is not used; one that cannot be cancelled is purged by the registry itself."""
        call = Call("DELETE", upload.url, _push(upload.repository), f"cancel an upload to {upload.repository}")
        with suppress(PointsmanError):
            self.session.call(call, self.tick, tries=2)

    def _begun(self, repository: str, call: Call, answer: Answer) -> Upload:
        location = answer.headers.get("location")
        if not location:
            raise refusal(self.session, call, answer)
        return Upload(repository, self._secured(location))

    def _secured(self, location: str) -> str:
        """An address as the registry gives it; behind a proxy that ends TLS, it may say http of itself."""
        own = self.session.url
        url = own.join(location)
        if own.scheme == "https" and url.scheme == "http" and url.host == own.host:
            url = url.copy_with(scheme="https", port=own.port)
        return str(url)

    def _parsed(self, data: bytes, what: str) -> dict[str, Any]:
        try:
            value = json.loads(data)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Stalled(f"{self.session.name} has something else than an image at {what}")
        return value

    def _expect(self, call: Call, answer: Answer, status: int) -> None:
        if answer.status != status:
            raise refusal(self.session, call, answer)


def is_missing_blob(error: Refused) -> bool:
    """Whether a manifest was refused for a blob that the registry does not have after all."""
    return bool(error.codes & {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})


def digest_of(data: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _manifest(repository: str, name: str) -> str:
    return f"/v2/{repository}/manifests/{name}"


def _blob(repository: str, digest: str) -> str:
    return f"/v2/{repository}/blobs/{require_digest(digest)}"


def _pull(repository: str) -> str:
    return f"{repository}:pull"


def _push(repository: str) -> str:
    return f"{repository}:pull,push"
