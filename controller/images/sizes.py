"""Refuses what is too large before a byte of it is sent, with its name, the limit and the setting.

What registries take of a layer is their own fact, and no answer of theirs says it before gigabytes were sent:
https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html and
https://docs.github.com/en/packages/working-with-a-github-packages-registry/working-with-the-container-registry
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.images.layers import Layer, LayerKind
from controller.loading.printable import shown
from controller.model.errors import Stalled
from controller.model.images import ImageSpec
from controller.model.limits import LARGEST_FILE, Limits
from controller.model.source import TreeEntry

_NAMED = 3
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


@dataclass(frozen=True, slots=True)
class _Known:
    """A registry that is known to take layers up to a size."""

    name: str
    hosts: re.Pattern[str]
    layer: int
    words: str


_REGISTRIES = (
    _Known(
        "Amazon ECR", re.compile(r"[0-9]+\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?"), 52_000 << 20, "52,000 MiB"
    ),
    _Known("Amazon ECR Public", re.compile(r"public\.ecr\.aws"), 52_000 << 20, "52,000 MiB"),
    _Known("the GitHub Container Registry", re.compile(r"ghcr\.io"), 10 * 10**9, "10 GB"),
)


class Sizes:
    """The limits of one target, and of the registry at `host` where it is a known one; `fixed` ones nobody can set."""

    def __init__(self, limits: Limits, host: str = "", *, fixed: bool = False) -> None:
        self._limits = limits
        self._fixed = fixed
        name = host.lower().partition(":")[0]
        self._known = next((k for k in _REGISTRIES if k.hosts.fullmatch(name)), None) if limits.file is None else None
        least = self._known.layer if self._known else LARGEST_FILE
        self._file = limits.file if limits.file is not None else min(least, LARGEST_FILE)

    def is_code_too_large(self, size: int) -> bool:
        """Whether so many bytes are too many for the code's files together."""
        return size > self._limits.code

    def require_code(self, entries: Sequence[TreeEntry]) -> None:
        """Raise `Stalled`, naming the largest files, where the code's files are too large together."""
        total = sum(entry.size for entry in entries)
        if self.is_code_too_large(total):
            largest = _listed((entry.size, entry.path) for entry in entries)
            message = (
                f"the code has {readable(total)}, more than the limit of {readable(self._limits.code)}; largest: {largest}"
            )
            hint = "declare large files with a url and sha256 instead of committing them"
            raise Stalled(message, hint=f"{hint}{self._or_raise('code')}")

    def require_file(self, name: str, size: int) -> None:
        """Raise `Stalled` where one declared file is too large, or what came of it already is."""
        if size > self._file:
            limit = self._known.words if self._known else readable(self._file)
            message = f"{shown(name)} has {readable(size)} or more, and the limit of one file is {limit}"
            raise Stalled(message, hint=self._way_out())

    def require_image(self, spec: ImageSpec, base: Sequence[Mapping[str, Any]], layers: Sequence[Layer]) -> None:
        """Raise `Stalled` where the image, or one of its layers for this registry, is too large."""
        below = [int(item["size"]) for item in base]
        parts = [
            (sum(below), "the base"),
            *((layer.size, name) for layer, name in zip(layers, _names(spec, layers), strict=True)),
        ]
        total = sum(size for size, _ in parts)
        if total > self._limits.image:
            message = f"the image would have {readable(total)}, more than the limit of {readable(self._limits.image)}"
            raise Stalled(f"{message}; largest: {_listed(parts)}", hint=f"make them smaller{self._or_raise('image')}")
        largest = max([*((size, "a layer of the base") for size in below), *parts[1:]], default=(0, ""))
        if self._known and largest[0] > self._known.layer:
            raise Stalled(f"{shown(largest[1])} has {readable(largest[0])} as a layer", hint=self._way_out())

    def _way_out(self) -> str:
        if self._known:
            takes = f"{self._known.name} takes layers up to {self._known.words}"
            return f"{takes}; if that has changed, write `registry.limits.file` of the target"
        return f"make it smaller{self._or_raise('file')}"

    def _or_raise(self, limit: str) -> str:
        return "" if self._fixed else f", or raise `registry.limits.{limit}` of the target"


FOR_THIS_MACHINE = Sizes(Limits(code=4 << 30), fixed=True)
"""Of images that are not pushed, for which no target says anything."""


def readable(size: int) -> str:
    """A size for a person, such as `1.5 GiB`."""
    amount, unit = float(size), 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.1f}".removesuffix(".0") + f" {_UNITS[unit]}"


def _listed(parts: Iterable[tuple[int, str]]) -> str:
    largest = sorted(parts, key=lambda part: (-part[0], part[1]))[:_NAMED]
    return ", ".join(f"{shown(name)} ({readable(size)})" for size, name in largest if size)


def _names(spec: ImageSpec, layers: Sequence[Layer]) -> list[str]:
    """What a person calls each layer; those of files come in the order of their paths."""
    paths = iter(sorted(spec.files))
    return [next(paths, "a file") if layer.kind is LayerKind.FILE else f"the {layer.kind}" for layer in layers]
