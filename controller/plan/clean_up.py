"""Which images of a project's repository may be deleted.

Two things must hold for as long as the window: no commit of it declared the image, and whoever cleans has seen nothing that
needs it. A digest goes only as a whole, when every tag that leads to it may go.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from controller.model.clean_up import Judgement, Needed, Seen, Unneeded

_OURS = re.compile(r"v-[0-9a-f]{40}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Tags = Mapping[str, frozenset[str]]
"""From a tag to the digests that it leads to: one for an image, more for an index of images."""


def candidates(tags: Iterable[str], needed: Needed) -> frozenset[str]:
    """The tags of our form that git does not declare: whether they lead to a needed digest is still to be found out."""
    return frozenset(tag for tag in tags if _OURS.fullmatch(tag) and tag not in needed.tags)


def is_due(tag: str, needed: Needed, seen: Mapping[str, Seen], now: float, keep: float) -> bool:
    """Whether a tag that nothing needs has waited long enough."""
    return tag in seen and now - seen[tag].since >= keep and tag not in needed.past


def judge(tags: Tags, needed: Needed, known: Mapping[str, Seen], now: float, keep: float) -> Judgement:
    """What goes, what waits, and what to remember. `tags` holds every candidate, and every other tag where one is due.

    `known` is what was remembered, `keep` the window in seconds.
    """
    unneeded = {tag for tag in candidates(tags, needed) if not tags[tag] & needed.digests}
    seen = {tag: known.get(tag) or Seen(now) for tag in unneeded}
    seen = {tag: replace(each, name=each.name or needed.past.get(tag, "")) for tag, each in seen.items()}
    due = {tag for tag in unneeded if is_due(tag, needed, seen, now, keep)}
    held = _holders(tags, needed, due)
    found = [_unneeded(digest, together, seen) for digest, together in _by_digest(tags, unneeded).items()]
    goes = [replace(u, why=_reason(u, keep)) for u in found if due.issuperset(u.tags) and u.digest not in held]
    waits = [replace(u, why=_wait(u, needed, held, due, keep)) for u in found if u.digest not in {g.digest for g in goes}]
    return Judgement(tuple(sorted(goes, key=_age)), tuple(sorted(waits, key=_age)), len(tags) - len(unneeded), seen)


def digests_in(text: str) -> Iterator[str]:
    """Every digest that a text names."""
    return (match[0] for match in _DIGEST.finditer(text))


def tags_in(text: str) -> Iterator[str]:
    """Every tag of our form that a text names."""
    return (match[0] for match in _OURS.finditer(text))


def moment(seconds: float) -> str:
    """A time as people read it, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _holders(tags: Tags, needed: Needed, due: Iterable[str]) -> dict[str, str]:
    """From each digest that must stay to what needs it."""
    staying = sorted(tags.keys() - set(due), reverse=True)
    held = {digest: f"the tag {tag} leads to it too" for tag in staying for digest in tags[tag]}
    return held | dict.fromkeys(needed.digests, "a record or a workload names it")


def _by_digest(tags: Tags, unneeded: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for tag in sorted(unneeded):
        for digest in tags[tag]:
            found[digest].append(tag)
    return found


def _unneeded(digest: str, tags: list[str], seen: Mapping[str, Seen]) -> Unneeded:
    name = next((seen[tag].name for tag in tags if seen[tag].name), "")
    return Unneeded(digest, tuple(tags), max(seen[tag].since for tag in tags), "", name)


def _reason(item: Unneeded, keep: float) -> str:
    return f"no commit of the last {window(keep)}, record or workload names it; unneeded since {moment(item.since)}"


def _wait(item: Unneeded, needed: Needed, held: Mapping[str, str], due: Iterable[str], keep: float) -> str:
    waiting = [tag for tag in item.tags if tag not in set(due)]
    if not waiting:
        return held[item.digest]
    if any(tag in needed.past for tag in waiting):
        return f"a commit of the last {window(keep)} declared it"
    return f"unneeded since {moment(item.since)}, may go after {moment(item.since + keep)}"


def window(seconds: float) -> str:
    """A duration in the words of the configuration."""
    parts, left = [], int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _age(item: Unneeded) -> tuple[float, str]:
    return item.since, item.digest
