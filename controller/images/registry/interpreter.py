"""Which Python and C library a base image has, so that wheels for exactly these are installed.

Images of https://hub.docker.com/_/python say their version in `PYTHON_VERSION`. Everything else is read from the layers,
once per base digest: only the names in them, and the bytes of the C library.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import RawIOBase
from typing import IO, Any, Self

from controller.images.compression import NOT_GZIP, uncompressed
from controller.images.installer import Python
from controller.images.registry.bases import Bases, FoundBase
from controller.model.errors import Stalled, Unavailable

_NOTE = "python"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VERSION = re.compile(r"(\d+\.\d+)")
_PYTHON = re.compile(r"python(\d+\.\d+)")
_GLIBC = re.compile(r"(?:usr/)?lib(?:64)?/(?:[\w-]+-linux-gnu\w*/)?libc(?:\.so\.6|-(\d+\.\d+)\.so)")
_MUSL = re.compile(r"(?:usr/)?lib/ld-musl-\w+\.so\.1")
_RELEASE = re.compile(rb"GNU C Library [^\n]{0,200}?release version (\d+\.\d+)")
_LARGEST_LIBRARY = 16 << 20
_LINKS = 10
_LONGEST_NAME = 4096
_MOST_NAMES = 50_000
_LARGEST_HEADER = 1 << 20
_LARGEST_LAYER = 1 << 36
"""Bytes of an unpacked layer; a few megabytes can be made to unpack to any number."""

_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_MALFORMED = (tarfile.TarError, *NOT_GZIP, ValueError, RecursionError)
"""What `tarfile` raises for archives that are none; the last two for headers of another form."""

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC_KNOWN = (17, 28, *range(31, 41))
"""The minor versions of glibc 2 that uv has a name for (`uv pip install --help`, uv 0.13)."""

_INSTEAD = ", take a base image with another Python, or build the wheel yourself and publish it"
_INSTEAD_OF_MUSL = ", or take a base image with glibc (not Alpine), for which nearly every package has wheels"


@dataclass(slots=True)
class _Files:
    """What the layers up to one of them hold, of what matters here. Links have a target, files none."""

    names: dict[str, str | None] = field(default_factory=dict)
    glibc: str = ""
    musl: bool = False


def find_python(bases: Bases, found: FoundBase, platform: str) -> Python:
    """The Python that wheels are for. Raises `Stalled` for a base without one."""
    noted = bases.note(found.manifest, _NOTE)
    if noted is None:
        noted = _read(found)
        bases.remember(found.manifest, _NOTE, noted)
    return python_for(noted, platform)


def _read(found: FoundBase) -> dict[str, Any]:
    said = VERSION.match(found.base.environment.get("PYTHON_VERSION", ""))
    files = _Files()
    for layer in found.base.layers:
        _note_layer(files, found, layer)
        if said and (files.glibc or files.musl):
            break
    version = said[1] if said else _version(files, found.base.environment.get("PATH") or DEFAULT_PATH)
    if not version:
        hint = "use a base image with a python3 on its PATH, or requirements that are empty"
        raise Stalled("the base image has no Python to install requirements for", hint=hint)
    return {"version": version, "glibc": files.glibc, "musl": files.musl and not files.glibc}


def python_for(noted: Mapping[str, Any], platform: str) -> Python:
    """What to install for, from what is known of a base: its `version`, `glibc` (empty if unknown) and whether it is `musl`."""
    architecture = ARCHITECTURES.get(platform.split("/")[1])
    if architecture is None:
        raise Stalled(f"requirements cannot be installed for {platform}", hint="use amd64 or arm64")
    version = str(noted["version"])
    wheels = (
        f"{architecture}-unknown-linux-musl" if noted["musl"] else f"{architecture}-manylinux_2_{_minor(str(noted['glibc']))}"
    )
    options = ("--python-version", version, "--python-platform", wheels, "--only-binary", ":all:")
    library = "musl" if noted["musl"] else f"glibc {noted['glibc'] or 'of an unknown version'}"
    words = f"the base image's Python {version} on {architecture} with {library}"
    return Python(version, f"{version}-{wheels}", options, words, _INSTEAD_OF_MUSL if noted["musl"] else _INSTEAD, True)


def _minor(glibc: str) -> int:
    """The newest glibc that uv knows and the base has; an unknown one is taken for the oldest."""
    have = int(glibc.partition(".")[2] or 0)
    fitting: list[int] = [known for known in _GLIBC_KNOWN if known <= have]
    return max(fitting, default=_GLIBC_KNOWN[0])


def _version(files: _Files, path: str) -> str:
    """What `python3` on PATH is, through its links, or by the only versioned name beside it."""
    for directory in path.split(":"):
        start = posixpath.join(directory.strip("/"), "python3")
        if start not in files.names:
            continue
        named = _PYTHON.fullmatch(posixpath.basename(_resolved(files, start)))
        if named:
            return named[1]
        beside = {m[1] for name in files.names if posixpath.dirname(name) == directory.strip("/") if (m := _named(name))}
        if len(beside) == 1:
            return beside.pop()
    return ""


def _named(name: str) -> re.Match[str] | None:
    return _PYTHON.fullmatch(posixpath.basename(name))


def _resolved(files: _Files, name: str) -> str:
    for _ in range(_LINKS):
        target = files.names.get(name)
        if not target:
            break
        name = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), target)).strip("/")
    return name


def _note_layer(files: _Files, found: FoundBase, layer: Mapping[str, Any]) -> None:
    """Enter one layer: a later file takes the place of an earlier one, a whiteout removes it."""
    if layer["mediaType"].endswith("+zstd"):
        hint = "name a base image whose layers are gzip, or one that sets PYTHON_VERSION and whose first layer is gzip"
        raise Stalled("the base image's Python cannot be found: its layers are compressed with zstd", hint=hint)
    client, repository = found.origin.client, found.origin.repository
    try:
        with client.reading(repository, layer["digest"]) as blocks:
            stream = _Stream(blocks, client.tick)
            plain = uncompressed(stream) if layer["mediaType"].endswith("+gzip") else stream
            with tarfile.open(fileobj=plain, mode="r|", tarinfo=_Member) as archive:
                for member in _members(archive):
                    _note_member(files, archive, member)
    except _MALFORMED as error:
        raise Unavailable(f"the layer {layer['digest']} of the base image cannot be read: {error}") from error


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """One after the other; `tarfile` itself would keep them all in memory."""
    kept: list[tarfile.TarInfo] = vars(archive)["members"]
    while (member := archive.next()) is not None:
        if archive.offset > _LARGEST_LAYER:
            raise Stalled(f"a layer of the base image unpacks to more than {_LARGEST_LAYER >> 30} GiB", hint="use another base")
        yield member
        kept.clear()


class _Member(tarfile.TarInfo):
    """A header whose extensions, which `tarfile` reads whole, are of a sensible size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.type in _EXTENSIONS and found.size > _LARGEST_HEADER:
            raise Stalled(f"a layer of the base image has a header of {found.size} bytes", hint="use another base image")
        return found


def _note_member(files: _Files, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    if len(member.name) > _LONGEST_NAME or len(member.linkname) > _LONGEST_NAME or len(files.names) >= _MOST_NAMES:
        return
    name = posixpath.normpath(member.name).lstrip("./")
    directory, base = posixpath.split(name)
    if base.startswith(".wh."):
        files.names.pop(posixpath.join(directory, base.removeprefix(".wh.")), None)
    elif base.startswith("python"):
        files.names[name] = member.linkname if member.issym() else f"/{member.linkname}" if member.islnk() else None
    elif _MUSL.fullmatch(name):
        files.musl = True
    elif library := _GLIBC.fullmatch(name):
        files.glibc = library[1] or _release(archive, member) or files.glibc


def _release(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """The release that a C library says of itself; a link says nothing, its target is a member of its own."""
    if not member.isreg() or member.size > _LARGEST_LIBRARY:
        return ""
    opened: IO[bytes] | None = archive.extractfile(member)
    if opened is None:
        return ""
    with opened as library:
        return release_of(library.read())


def release_of(library: bytes) -> str:
    """`major.minor` of glibc that the bytes of a C library say; empty where they say nothing."""
    found = _RELEASE.search(library)
    return found[1].decode() if found else ""


class _Stream(RawIOBase):
    """Blocks as a file."""

    def __init__(self, blocks: Iterator[bytes], tick: Any) -> None:
        self._blocks = blocks
        self._tick = tick
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        parts = [self._rest]
        have = len(self._rest)
        while size < 0 or have < size:
            block = next(self._blocks, b"")
            if not block:
                break
            self._tick()
            parts.append(block)
            have += len(block)
        data = b"".join(parts)
        self._rest = data[size:] if size >= 0 else b""
        return data[:size] if size >= 0 else data
