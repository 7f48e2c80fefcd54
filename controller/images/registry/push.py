"""Brings an image into a repository: its blobs in any order, then the manifest by digest, and the tag last.

Killed anywhere, what remains in the registry is a blob or a manifest that no tag leads to.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as settle
from contextlib import suppress
from dataclasses import dataclass

from controller.images.registry.client import RegistryClient, Upload, digest_of, is_missing_blob
from controller.images.registry.known import Known
from controller.images.registry.session import Refused, Session
from controller.model.errors import Forbidden, Stalled, Transient, Unavailable

PARALLEL = 4
"""Uploads at a time; more break some registries (https://github.com/GoogleContainerTools/jib/issues/4301)."""

_TRIES = 3
_SMALL = 512 << 10
_LOOK = 0.2
"""Seconds until the build tells again how far it is, and may be given up."""

_LOG = logging.getLogger(__name__)

Content = Callable[[], Iterator[bytes]]
Tell = Callable[[int, int], None]
"""Told the bytes that are in the repository and those of the whole image; raises to give up."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A repository that has a blob, of the same registry or of another one."""

    client: RegistryClient
    repository: str


@dataclass(frozen=True, slots=True)
class Blob:
    """A part of an image: its bytes come from here (`content`), or from where its base lies (`origin`)."""

    digest: str
    size: int
    content: Content | None = None
    origin: Origin | None = None


class _Share:
    """How many bytes of each blob are there, counted by the threads that send them; `stop` ends them at their next block."""

    def __init__(self, blobs: Sequence[Blob]) -> None:
        self.total = sum(blob.size for blob in blobs)
        self.failure: BaseException | None = None
        self._there = {blob.digest: 0 for blob in blobs}
        self._stopped = threading.Event()

    @property
    def done(self) -> int:
        return sum(self._there.values())

    def count(self, blob: Blob, there: int) -> None:
        self._there[blob.digest] = there

    def stop(self, failure: BaseException | None = None) -> None:
        self.failure = self.failure or failure
        self._stopped.set()

    def go_on(self) -> None:
        if self._stopped.is_set():
            raise Transient("another part of the image could not be pushed")


class Pusher:
    """Puts images into one repository. `bases` is where base blobs of other registries are kept, to be mounted from.

    The thread that calls `push` is the only one that calls `tell`.
    """

    def __init__(
        self,
        session: Session,
        repository: str,
        bases: str,
        known: Known,
        tell: Tell,
        *,
        parallel: int = PARALLEL,
    ) -> None:
        self._session = session
        self._repository = repository
        self._bases = bases
        self._known = known
        self._tell = tell
        self._parallel = parallel

    def push(self, blobs: Sequence[Blob], manifest: bytes, tag: str) -> str:
        """The manifest's digest, once everything is there. A registry that lost what it had gets it again, once."""
        unique = list({blob.digest: blob for blob in blobs}.values())
        size = sum(blob.size for blob in unique)
        client = RegistryClient(self._session, lambda: self._tell(size, size))
        self._place_all(unique)
        digest = digest_of(manifest)
        try:
            client.put_manifest(self._repository, digest, manifest)
        except Refused as error:
            if not is_missing_blob(error):
                raise
            _LOG.warning("%s lost blobs of %s; they are sent again", self._session.name, self._repository)
            self._known.forget(self._repository)
            self._place_all(unique, believe=False)
            client.put_manifest(self._repository, digest, manifest)
        client.put_manifest(self._repository, tag, manifest)
        return digest

    def _place_all(self, blobs: Sequence[Blob], *, believe: bool = True) -> None:
        """All of them, several at a time; the first failure ends the others at their next block."""
        share = _Share(blobs)
        client = RegistryClient(self._session, share.go_on)
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="push") as pool:
            placing = [pool.submit(self._place, client, blob, share, believe) for blob in blobs]
            try:
                self._await(placing, share)
            except BaseException:
                share.stop()
                # Who gives up does not wait for a registry that is silent; another build on the connection tries again.
                for session in {self._session, *(blob.origin.client.session for blob in blobs if blob.origin)}:
                    session.interrupt()
                raise
        if share.failure:
            raise share.failure

    def _await(self, placing: Sequence[Future[None]], share: _Share) -> None:
        """Until all have ended, well or not. Raises only what `tell` does."""
        left = set(placing)
        while left:
            settled, left = settle(left, _LOOK, FIRST_COMPLETED)
            for error in filter(None, (future.exception() for future in settled)):
                share.stop(error)
            self._tell(share.done, share.total)

    def _place(self, client: RegistryClient, blob: Blob, share: _Share, believe: bool) -> None:
        mark = (self._repository, blob.digest)
        if not (believe and mark in self._known):
            if not believe or _is_quickly_sent(blob) or not client.has_blob(*mark):
                self._bring(client, blob, share)
            self._known.add(*mark)
        share.count(blob, blob.size)

    def _bring(self, client: RegistryClient, blob: Blob, share: _Share) -> None:
        if blob.content is not None:
            _send(client, self._repository, blob, blob.content, share)
        elif blob.origin is not None:
            self._take_over(client, blob, blob.origin, share)
        else:
            raise Stalled(f"{blob.digest} has no source to come from")

    def _take_over(self, client: RegistryClient, blob: Blob, origin: Origin, share: _Share) -> None:
        """A base's blob: mounted where it can be, else copied without touching the disk."""
        if origin.client.session is client.session:
            if not self._mount(client, blob, origin.repository):
                _copy(client, blob, origin, self._repository, share)
            return
        if not client.has_blob(self._bases, blob.digest):
            _copy(client, blob, origin, self._bases, share)
        if not self._mount(client, blob, self._bases):
            _copy(client, blob, origin, self._repository, share)

    def _mount(self, client: RegistryClient, blob: Blob, source: str) -> bool:
        """Whether the blob is here now, readable, without having been sent."""
        try:
            upload = client.mount(self._repository, blob.digest, source)
        except (Forbidden, Refused):
            return False
        if upload is not None:
            client.cancel(upload)
            return False
        return client.has_blob(self._repository, blob.digest)


def _is_quickly_sent(blob: Blob) -> bool:
    """Whether asking for a blob would take as long as sending it; a registry keeps it once however often it comes."""
    return blob.content is not None and blob.size <= _SMALL


def _copy(client: RegistryClient, blob: Blob, origin: Origin, repository: str, share: _Share) -> None:
    source = RegistryClient(origin.client.session, client.tick)

    def content() -> Iterator[bytes]:
        with source.reading(origin.repository, blob.digest) as blocks:
            yield from blocks

    _send(client, repository, blob, content, share)


def _send(client: RegistryClient, repository: str, blob: Blob, content: Content, share: _Share) -> None:
    """Send a blob, from its beginning at each try: distribution 2.8 loses an upload that was cut inside a request."""
    for attempt in range(1, _TRIES + 1):
        upload = client.start(repository)
        try:
            client.finish(upload, blob.digest, blob.size, lambda: _watched(content(), blob, client, share))
        except BaseException as error:
            _abandon(client, upload)
            if not isinstance(error, Unavailable):
                raise
            client.session.rest(error, attempt, _TRIES, client.tick)
            _LOG.info("%s; sent again", error.message)
        else:
            return


def _abandon(client: RegistryClient, upload: Upload) -> None:
    with suppress(Exception):
        RegistryClient(client.session, lambda: None).cancel(upload)


def _watched(blocks: Iterator[bytes], blob: Blob, client: RegistryClient, share: _Share) -> Iterator[bytes]:
    """The bytes as announced: what is shorter or longer than its descriptor would only hang or spoil the connection."""
    done = 0
    for block in blocks:
        client.tick()
        share.count(blob, done)
        done += len(block)
        if done > blob.size:
            break
        yield block
    if done != blob.size:
        raise Unavailable(f"{blob.digest} has other than its {blob.size} bytes at its source")
