"""A declared file's bytes: from the code at the commit, or by URL through a cache that trusts digests alone."""

from __future__ import annotations

import hashlib
import os
import ssl
import tarfile
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from controller.images.build import Build
from controller.images.download import Transfer, download, shown
from controller.images.durable import exclusive, rename_durably
from controller.images.installed import read_blocks
from controller.images.layers import Contents, Layer, LayerKind, Member
from controller.images.lfs import is_pointer
from controller.images.paths import layer_path, normalised
from controller.images.sizes import FOR_THIS_MACHINE, Sizes
from controller.model.declared import FileContent
from controller.model.errors import Stalled
from controller.model.file_address import is_granted, place_of
from controller.model.identity import content_hash
from controller.model.images import CODE_DIRECTORY
from controller.model.ports import Progress

_AROUND = 2 * tarfile.RECORDSIZE
"""Bytes of an archive that are no file's, at most; of a layer that was made elsewhere only the archive's size is known."""

_LATER = {"s3": "Amazon S3", "gs": "Google Cloud Storage", "abfs": "Azure storage", "abfss": "Azure storage"}


class FileCache:
    """Declared files by URL, each under its sha256. `file://` URLs only where `allow_file_urls` grants them."""

    def __init__(
        self,
        cache: Path,
        *,
        allow_file_urls: bool = False,
        sizes: Sizes = FOR_THIS_MACHINE,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._cache = cache
        self._allow_file_urls = allow_file_urls
        self._sizes = sizes
        self._verify = verify

    def fetch(self, url: str, sha256: str, progress: Progress, prefixes: tuple[str, ...] | None = None) -> Path:
        """The verified file in the cache, read-only. Raises `Stalled` for bytes of another digest, naming both.

        `prefixes` are what addresses are granted by; None: all. Who knows only the digest of a file that another source
        has fetched gets nothing: where addresses are granted, each one has to have answered with these bytes.
        """
        digest = _require_digest(url, sha256)
        if prefixes is not None and not is_granted(url, prefixes):
            hint = "ask whoever runs the controller to add it to the source's `grants.filePrefixes`"
            raise Stalled(f"{shown(url)} is not granted to this source", hint=hint)
        path = cached(self._cache, digest)
        proof = path if prefixes is None else _proof(self._cache, url, digest)
        if path.exists() and proof.exists():
            return path
        with exclusive(self._cache / "locks" / f"blob-{digest}"):
            if not (path.exists() and proof.exists()):
                self._fill(path, url, digest, progress, prefixes)
                proof.parent.mkdir(parents=True, exist_ok=True)
                proof.touch()
        return path

    def _fill(self, path: Path, url: str, digest: str, progress: Progress, granted: tuple[str, ...] | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.with_name(f"{digest}.partial")
        resumed = begun.exists()
        found = self._receive(url, begun, progress, granted)
        if found != digest and resumed:
            begun.unlink()
            found = self._receive(url, begun, progress, granted)
        if found != digest:
            begun.unlink()
            message = f"{shown(url)} has sha256 {found}, but the version names {digest}"
            raise Stalled(message, hint="the file was replaced after the version was written: make a new version of it")
        with begun.open("rb+") as file:
            os.fsync(file.fileno())
        begun.chmod(0o444)
        rename_durably(begun, path)

    def _receive(self, url: str, begun: Path, progress: Progress, granted: tuple[str, ...] | None) -> str:
        """Fetch into `begun` by the URL's scheme; return the sha256 of what is there."""
        scheme = url.partition("://")[0].lower()
        if scheme == "https":
            return download(Transfer(url, begun, self._sizes, granted), self._verify, progress)
        if scheme == "file" and self._allow_file_urls:
            return self._copy(Path(unquote(urlsplit(url).path)), begun, progress)
        raise _refused(url, scheme)

    def _copy(self, source: Path, begun: Path, progress: Progress) -> str:
        digest, done = hashlib.sha256(), 0
        if not source.is_file():
            raise Stalled(f"there is no file {source}")
        total = source.stat().st_size
        self._sizes.require_file(str(source), total)
        with begun.open("wb") as file:
            for block in read_blocks(source):
                digest.update(block)
                done += file.write(block)
                self._sizes.require_file(str(source), done)
                progress(f"copying {source.name}", done, total)
        return digest.hexdigest()


def cached(cache: Path, sha256: str) -> Path:
    """Where the blob cache keeps the file of a digest."""
    return blob_cache(cache) / sha256


def blob_cache(cache: Path) -> Path:
    """The directory of the files that came by URL, by their digests."""
    return cache / "blobs" / "sha256"


def file_layer(build: Build, path: str, content: FileContent, files: FileCache) -> Layer:
    """The layer of one declared file at `path` below the code directory. Nothing is fetched for a layer that is there."""
    target = layer_path(CODE_DIRECTORY, normalised(path))

    def make(_scratch: Path) -> Contents:
        if content.url is None:
            return Contents(CODE_DIRECTORY, [_from_code(target, content, build)])
        source = files.fetch(content.url, content.sha256 or "", build.progress, build.spec.terms.file_prefixes)
        build.sizes.require_file(path, source.stat().st_size)
        return Contents(CODE_DIRECTORY, [_on_disk(target, source)], source=source.name)

    granted = build.spec.terms.file_prefixes is not None
    origin = [place_of(content.url)] if content.url and granted else []
    identity = ["sha256", content.sha256, *origin] if content.url else ["blob", content.blob]
    layer = build.layer(LayerKind.FILE, [target, *identity], make)
    build.sizes.require_file(path, layer.content or layer.size - _AROUND)
    return layer


def _proof(cache: Path, url: str, digest: str) -> Path:
    """A file that is there once an address has answered with the bytes of a digest."""
    return cache / "blobs" / "proved" / content_hash([digest, place_of(url)])


def _on_disk(target: str, source: Path) -> Member:
    return Member(target, source.stat().st_size, lambda: read_blocks(source))


def _from_code(target: str, content: FileContent, build: Build) -> Member:
    code = build.code
    entry = next((e for e in build.entries if e.blob == content.blob), None)
    if entry is None:
        hint = f"commit {content.path}, or name a url and sha256"
        raise Stalled(f"{content.path} is not in the code at this commit", hint=hint)
    if is_pointer(code, entry):
        hint = "upload the file and name its url and sha256; git LFS is not fetched"
        raise Stalled(f"{content.path} is a git LFS pointer, not the file itself", hint=hint)
    build.sizes.require_file(content.path or target, entry.size)
    return Member(target, entry.size, partial(code.read, entry.blob))


def _require_digest(url: str, sha256: str) -> str:
    digest = sha256.lower()
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        message = f"{shown(url)} needs its sha256: 64 hexadecimal digits, not {sha256!r}"
        raise Stalled(message, hint="`sha256sum FILE` prints it")
    return digest


def _refused(url: str, scheme: str) -> Stalled:
    if scheme in _LATER:
        message = f"{shown(url)}: files in {_LATER[scheme]} cannot be fetched yet"
        return Stalled(message, hint="name an https URL of the same object, for example a presigned one")
    if scheme == "file":
        return Stalled(f"{shown(url)}: files of this machine are only for `pointsman up --file`", hint="name an https URL")
    return Stalled(f"{shown(url)}: a declared file is fetched by https only", hint="name an https URL")
