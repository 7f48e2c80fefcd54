"""What of a project's images in a registry may go: what needs them, and since when nothing was seen to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Needed:
    """What must stay in the repository of one project.

    `tags` are of the images that git declares now, `past` of those that a commit inside the window declared; both map to
    the images' names (`version/endpoint`). `digests` are named by records and workloads, or as a base.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    past: Mapping[str, str] = field(default_factory=dict)
    digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """Since when (seconds since the epoch) an image was seen unneeded without a break, and its name while that was known."""

    since: float
    name: str = ""


Memory = Mapping[str, Mapping[str, Seen]]
"""By project (`owner/name`) and tag."""


@dataclass(frozen=True, slots=True)
class Unneeded:
    """An image that nothing needs now. `why` says why it may go, or what it still waits for; `size` is unknown while None."""

    digest: str
    tags: tuple[str, ...]
    since: float
    why: str
    name: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """`goes` may be deleted now, oldest first; `waits` not yet. `kept` counts the images that something needs.

    `seen` is what is to be remembered of the project's tags.
    """

    goes: tuple[Unneeded, ...] = ()
    waits: tuple[Unneeded, ...] = ()
    kept: int = 0
    seen: Mapping[str, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a clean-up of one project's images would do now; `blocked` says why it would do nothing at all."""

    repository: str
    keep: float
    now: float
    judgement: Judgement = Judgement()
    blocked: str = ""
    remarks: tuple[str, ...] = ()
    """What whoever looked could not know."""
