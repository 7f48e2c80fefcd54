"""An OCI image layout on disk: blobs by digest, and tags that only ever lead to whole images.

`index.json` is for other tools (`skopeo`, `crane`, `oras`); beside it, `tags/<tag>` holds the same entry of one image,
so that finding one of thousands reads one small file. The order of writes is blobs, manifest, index, tag: killed at any
point, what remains is a blob that nothing names, or an index entry of a whole image.

Facts: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from controller.images.durable import exclusive, rename_durably, write_durably
from controller.images.layers import Sink
from controller.model.errors import Stalled

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"


class BlobWriter:
    """A blob on its way into the layout: its digest is known when all is written."""

    def __init__(self, file: Sink) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class Layout:
    """The layout at `root`, made when something is first written.

    `synced` blobs survive a crash of the machine; without it, whoever reads one has to check its digest.
    """

    def __init__(self, root: Path, *, synced: bool = True) -> None:
        self.root = root
        self.synced = synced
        self.blobs = root / "blobs" / "sha256"
        self.partial = root / "partial"

    def blob(self, digest: str) -> Path:
        """Where the blob of a digest lies or would lie. Raises `Stalled` for anything but a sha256."""
        algorithm, _, digits = digest.partition(":")
        if algorithm != "sha256" or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
            raise Stalled(f"{digest!r} is not a sha256 digest")
        return self.blobs / digits

    def has(self, digest: str, size: int) -> bool:
        """Whether the blob is there with all its bytes."""
        try:
            return self.blob(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def use(self, digest: str) -> None:
        """Note that a blob is needed now, for whoever removes what nothing has needed for long."""
        with suppress(FileNotFoundError):
            os.utime(self.blob(digest))

    @contextmanager
    def writing(self, name: str) -> Iterator[BlobWriter]:
        """A blob that appears under its digest when the block ends well. The caller holds a lock for `name`."""
        partial = self.partial / name
        partial.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                writer = BlobWriter(file)
                yield writer
                if self.synced:
                    file.flush()
                    os.fsync(file.fileno())
            target = self.blob(writer.digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            rename_durably(partial, target) if self.synced else partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def store(self, name: str, value: Any) -> tuple[str, int]:
        """Write a JSON document as a blob: its digest and size. The caller holds a lock for `name`."""
        with self.writing(name) as blob:
            blob.write(_canonical(value))
        return blob.digest, blob.size

    def publish(self, tag: str, descriptor: Mapping[str, Any]) -> None:
        """Let `tag` lead to a manifest that is stored already. Other tags stay, whoever writes them at the same time."""
        entry = {**descriptor, "annotations": {**descriptor.get("annotations", {}), REF_NAME: tag}}
        with exclusive(self.partial / "index.lock"):
            self._write_index(tag, entry)
            pointer = self._pointer(tag)
            pointer.parent.mkdir(exist_ok=True)
            write_durably(pointer, _canonical(entry))

    def withdraw(self, tags: Collection[str]) -> None:
        """Let these tags lead nowhere. The tags go before the index: an entry there may name what is gone, a tag never."""
        with exclusive(self.partial / "index.lock"):
            for tag in tags:
                self._pointer(tag).unlink(missing_ok=True)
            write_durably(self.root / "index.json", _canonical(_index(self._pointers())))

    def tags(self) -> list[str]:
        """Every tag, sorted."""
        return sorted(path.name for path in (self.root / "tags").glob("v-*") if not path.name.endswith(".partial"))

    def tagged_at(self, tag: str) -> float:
        """When the tag was last published, in seconds since the epoch."""
        return self._pointer(tag).stat().st_mtime

    def tagged(self, tag: str) -> str | None:
        """The digest of the manifest that `tag` leads to."""
        entry = _read(self._pointer(tag))
        return str(entry["digest"]) if entry and "digest" in entry else None

    def read(self, digest: str) -> dict[str, Any] | None:
        """A JSON blob; None where it is not there or does not match its digest."""
        try:
            data = self.blob(digest).read_bytes()
        except FileNotFoundError:
            return None
        whole = f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
        value = json.loads(data) if whole else None
        return value if isinstance(value, dict) else None

    def _pointer(self, tag: str) -> Path:
        return self.root / "tags" / tag

    def _write_index(self, tag: str, entry: Mapping[str, Any]) -> None:
        path = self.root / "index.json"
        known = (_read(path) or {}).get("manifests") or self._pointers()
        others = [m for m in known if m.get("annotations", {}).get(REF_NAME) != tag]
        if not path.exists():
            write_durably(self.root / "oci-layout", _canonical({"imageLayoutVersion": "1.0.0"}))
        write_durably(path, _canonical(_index([*others, entry])))

    def _pointers(self) -> list[dict[str, Any]]:
        """Every tag's entry: what a lost index is made of again."""
        return [entry for tag in self.tags() if (entry := _read(self._pointer(tag)))]


def _index(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON map; None where the file is absent or is no such thing."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
