"""What a clean-up of images would do, as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.model.clean_up import Outlook, Unneeded
from controller.plan.clean_up import window

_MEBIBYTE = 1 << 20


def to_json(outlook: Outlook) -> dict[str, Any]:
    """The whole outlook as plain data; docs/reference/plan.md names every key."""
    return {
        "repository": outlook.repository,
        "keep": window(outlook.keep),
        "now": outlook.now,
        "blocked": outlook.blocked or None,
        "remarks": list(outlook.remarks),
        "goes": [_item_json(item) for item in outlook.judgement.goes],
        "waits": [_item_json(item) for item in outlook.judgement.waits],
        "kept": outlook.judgement.kept,
    }


def to_text(outlook: Outlook) -> str:
    """A section of its own, for a terminal."""
    return (
        "\n".join([f"clean-up of {outlook.repository}: {summary(outlook)}", *(f"  {line}" for line in _lines(outlook))]) + "\n"
    )


def to_markdown(outlook: Outlook) -> str:
    """A section of its own, for a pull request."""
    lines = list(_lines(outlook))
    title = f"### Clean-up of `{outlook.repository}`: {summary(outlook)}\n"
    return f"{title}\n```diff\n" + "\n".join(lines) + "\n```\n" if lines else title


def summary(outlook: Outlook) -> str:
    """One line: what would be deleted now, and how many images wait or stay."""
    if outlook.blocked:
        return "nothing would be deleted"
    judged = outlook.judgement
    rest = f"{len(judged.waits)} unneeded wait, {judged.kept} tags are needed or not ours (kept {window(outlook.keep)})"
    return f"{len(judged.goes)} to delete, {rest}"


def _lines(outlook: Outlook) -> Iterator[str]:
    for line in _items(outlook):
        yield "".join(c if c.isprintable() else " " for c in line)


def _items(outlook: Outlook) -> Iterator[str]:
    if outlook.blocked:
        yield f"! {outlook.blocked}"
    yield from (f"! {remark}" for remark in outlook.remarks)
    for sign, items in (("-", outlook.judgement.goes), ("…", outlook.judgement.waits)):
        yield from (f"{sign} image {_image(item)}  {item.why}" for item in items)


def _image(item: Unneeded) -> str:
    name = f" {item.name}" if item.name else ""
    size = "" if item.size is None else f" {item.size / _MEBIBYTE:.1f} MiB"
    return f"{' '.join(item.tags)}{name}{size}"


def _item_json(item: Unneeded) -> dict[str, Any]:
    said = {"digest": item.digest, "tags": list(item.tags), "name": item.name or None, "size": item.size}
    return {**said, "since": item.since, "why": item.why}
