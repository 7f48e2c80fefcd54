"""PURE: what somebody else changed or deleted and a pass puts back: which field, from what to what, who and when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.model import labels
from controller.model.changes import Change, FieldChange, Operation
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, at

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Drift:
    """One object that differs from what we wrote last; `who` is a field manager with the time of its write, if known.

    Without fields it was deleted, by whom the target does not say.
    """

    key: ObjectKey
    who: str = "somebody"
    fields: tuple[FieldChange, ...] = ()

    @property
    def is_deletion(self) -> bool:
        return not self.fields

    def __str__(self) -> str:
        if self.is_deletion:
            return f"deleted by {self.who}, made again"
        shown = [_said(self.key, field) for field in self.fields[:_SHOWN]]
        more = [f"and {len(self.fields) - _SHOWN} more"] if len(self.fields) > _SHOWN else []
        return f"changed by {self.who}, put back: {', '.join([*shown, *more])}"


def drifts(changes: Iterable[Change], objects: Mapping[ObjectKey, Object], lost: Collection[ObjectKey] = ()) -> Iterator[Drift]:
    """The changes that only undo what others did; `objects` are as they were observed, before any write.

    `lost` was ours and seen, and is there no more without our doing.
    """
    for change in changes:
        if change.operation is Operation.CREATE and change.key in lost:
            yield Drift(change.key)
        before = objects.get(change.key)
        if change.operation is Operation.UPDATE and before and change.desired and _undoes(change.desired, before):
            yield Drift(change.key, _writer(before, change.fields), change.fields)


def _undoes(desired: Object, before: Object) -> bool:
    """Whether we wrote this very content before: then the difference is not ours."""
    return annotation(before, labels.APPLIED) == annotation(desired, labels.APPLIED)


def _said(key: ObjectKey, field: FieldChange) -> str:
    if key.kind == "Secret":
        return field.path
    return f"{field.path} {field.old or 'nothing'} → {field.new or 'nothing'}"


def _writer(observed: Object, fields: Iterable[FieldChange]) -> str:
    """The manager that owns one of the fields now; else the last of the others; a field that was removed is nobody's."""
    entries = [e for e in at(observed, "metadata", "managedFields", default=()) if e.get("manager") != labels.FIELD_MANAGER]
    owners = [e for e in entries if any(_owns(e.get("fieldsV1") or {}, f.path.split(".")) for f in fields)]
    newest = max(owners or entries, key=lambda entry: str(entry.get("time", "")), default=None)
    return f"{newest.get('manager')} at {newest.get('time', 'an unknown time')}" if newest else "somebody"


def _owns(owned: Mapping[str, Any], path: list[str]) -> bool:
    """Whether a set of fields (`fieldsV1`) reaches a path; which item of a list is meant it says by key, not by number."""
    if not path:
        return True
    first, *rest = path
    if first.isdigit():
        return any(_owns(below, rest) for name, below in owned.items() if name.startswith(("k:", "v:", "i:")))
    if f"f:{first}" in owned:
        below = owned[f"f:{first}"]
        return not below or _owns(below, rest)
    return f"f:{'.'.join(path)}" in owned
