"""Who is who: units and objects, and the short names derived from them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

_OTHER = re.compile(r"[^a-z0-9]+")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(value: Any, length: int = 64) -> str:
    """Hex sha256 over canonical JSON: the same value gives the same text on every machine.

    Names in git may be no text; they are refused later, by name.
    """
    text = _CANONICAL.encode(value)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:length]


def without_accents(text: str) -> str:
    """Lower case, with the plain letter of each accented one: `Häuser` becomes `hauser`, `Straße` `strasse`."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def slug(name: str, length: int) -> str:
    """A readable DNS label part: lower case, no accents, every other run a `-`, none at an end.

    Declared names have neither capitals nor accents, so only the names of directories are changed by that.
    """
    return _OTHER.sub("-", without_accents(name)).strip("-")[:length].rstrip("-") or "x"


@dataclass(frozen=True, slots=True, order=True)
class UnitKey:
    """One deployment of one project: the grain of work, failure and status."""

    owner: str
    project: str
    deployment: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.project}/{self.deployment}"

    @property
    def path(self) -> str:
        """The URL prefix of everything that this unit serves; begins with `/`, does not end with one."""
        return f"/{self}"

    @property
    def namespace(self) -> str:
        """One namespace per project: readable first, unambiguous by its hash."""
        project = f"{self.owner}/{self.project}"
        return f"{slug(self.owner, 20)}-{slug(self.project, 20)}-{content_hash(project, 6)}"

    @property
    def hash(self) -> str:
        """Ten hex digits for label values and object names."""
        return content_hash(str(self), 10)

    @property
    def record_name(self) -> str:
        """The ConfigMap that holds this unit's record."""
        return f"pointsman-{slug(self.deployment, 30)}-{self.hash}"

    @classmethod
    def parse(cls, text: str) -> UnitKey:
        """The inverse of `str`. Raises ValueError for anything but three names."""
        owner, project, deployment = text.strip("/").split("/")
        return cls(owner, project, deployment)


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """A Kubernetes object's identity; the API version is a property of the kind (`objects.KINDS`)."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> ObjectKey:
        """The inverse of `str`. Raises ValueError for anything else."""
        kind, namespace, name = text.split("/")
        return cls(kind, namespace, name)
