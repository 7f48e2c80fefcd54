"""Names of images and registries, checked before any request is made with them.

Facts: https://github.com/distribution/reference (grammar and Docker's short names) and
https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md (limits).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.model.errors import Stalled

DOCKER_HUB = "docker.io"
_HUB_API = "registry-1.docker.io"
_LONGEST_REPOSITORY = 255
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@]+)(?P<path>(?:/[^?#]*)?)")


@dataclass(frozen=True, slots=True)
class Reference:
    """An image as its registry knows it. `digest` wins over `tag`; one of them is always there."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """What a manifest is asked for by."""
        return self.digest or self.tag

    def __str__(self) -> str:
        separator = "@" if self.digest else ":"
        return f"{self.registry}/{self.repository}{separator}{self.name}"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a registry answers: `scheme` and `host` (with its port), and the `path` that its repositories begin with."""

    scheme: str
    host: str
    path: str = ""

    @property
    def url(self) -> str:
        """Without the path: the API begins at the root."""
        return f"{self.scheme}://{self.host}"

    def below(self, repository: str) -> str:
        """A repository's whole name there."""
        return require_repository(f"{self.path}/{repository}" if self.path else repository)


def parse_reference(text: str) -> Reference:
    """The image that `text` names, by Docker's rules for what it leaves out. Raises `Stalled` for no such name."""
    rest, _, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    registry, repository = split_registry(f"{head}{slash}{last}")
    if not _HOST.fullmatch(registry):
        raise Stalled(f"{registry!r} is not the name of a registry")
    if digest:
        require_digest(digest)
    elif not colon:
        tag = "latest"
    if (tag or colon) and not _TAG.fullmatch(tag):
        raise Stalled(f"{text!r} has no valid tag", hint="a tag is up to 128 letters, digits, `_`, `.` and `-`")
    return Reference(registry, require_repository(repository), tag, digest)


def parse_location(text: str) -> Location:
    """The registry of `http(s)://host[:port][/path]`; without a scheme as `default_location` has it."""
    match = _URL.fullmatch(text if "://" in text else f"{default_location(text.partition('/')[0]).scheme}://{text}")
    if not match or not _HOST.fullmatch(match["host"]):
        raise Stalled(f"{text!r} is not the address of a registry", hint="write https://registry.example.com/path")
    path = match["path"].strip("/")
    return Location(match["scheme"], match["host"], require_repository(path) if path else "")


def default_location(registry: str) -> Location:
    """Where a registry answers by Docker's rules: by https, but on this machine's loopback by http."""
    if registry == DOCKER_HUB:
        return Location("https", _HUB_API)
    name = registry.rpartition(":")[0] or registry
    return Location("http" if name == "localhost" or name.startswith("127.") else "https", registry)


def require_digest(text: str) -> str:
    """The digest itself. Raises `Stalled` for anything but a sha256."""
    if not _DIGEST.fullmatch(text):
        raise Stalled(f"{text!r} is not a digest", hint="a digest is `sha256:` and 64 hexadecimal digits")
    return text


def require_repository(name: str) -> str:
    """The name itself. Raises `Stalled` for one that registries refuse."""
    if len(name) > _LONGEST_REPOSITORY or not _REPOSITORY.fullmatch(name):
        hint = "each part is lower case, begins and ends with a letter or digit, and has no two dots in a row"
        raise Stalled(f"{name!r} cannot be the name of a repository in a registry", hint=hint)
    return name


def split_registry(name: str) -> tuple[str, str]:
    """Registry and repository of an image's name without tag and digest, by Docker's rules for what it leaves out."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        hub = first in ("index.docker.io", _HUB_API)
        first = DOCKER_HUB if hub else first
        return first, rest if first != DOCKER_HUB or "/" in rest else f"library/{rest}"
    return DOCKER_HUB, name if slash else f"library/{name}"
