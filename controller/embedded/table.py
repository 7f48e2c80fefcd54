"""Objects in memory, found by kind, namespace and label. Objects are never copied and never changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from controller.model.identity import ObjectKey
from controller.model.objects import Object, key_of
from controller.model.ports import Labels

_Slot = dict[ObjectKey, Object]


class Table:
    """The objects with one index per way to ask for many. Not thread-safe: the store's lock guards it."""

    def __init__(self) -> None:
        self._objects: _Slot = {}
        self._slots: defaultdict[tuple[str, ...], _Slot] = defaultdict(dict)

    def get(self, key: ObjectKey) -> Object | None:
        return self._objects.get(key)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._objects.values())

    def set(self, key: ObjectKey, obj: Object | None) -> None:
        """Put an object, or take it away with None."""
        old = self._objects.pop(key, None)
        if old is not None:
            self._leave(key, old)
        if obj is not None:
            self._objects[key] = obj
            for slot in _slots_of(obj):
                self._slots[slot][key] = obj

    def select(self, kind: str, namespace: str | None, labels: Labels | None) -> tuple[Object, ...]:
        """Objects of a kind, sorted by namespace and name as an API server lists them."""
        slots = [(kind,)] if namespace is None else [("namespace", kind, namespace)]
        asked = slots + [("label", kind, name, value) for name, value in (labels or {}).items()]
        smallest = min((self._slots.get(slot, {}) for slot in asked), key=len)
        found = (item for item in smallest.items() if namespace in (None, item[0].namespace) and carries(item[1], labels))
        return tuple(obj for _, obj in sorted(found, key=lambda item: item[0]))

    def _leave(self, key: ObjectKey, obj: Object) -> None:
        for slot in _slots_of(obj):
            self._slots[slot].pop(key, None)
            if not self._slots[slot]:
                del self._slots[slot]


def carries(obj: Object, labels: Labels | None) -> bool:
    """Whether the object's labels contain all the given ones."""
    own: Mapping[str, str] = obj["metadata"].get("labels") or {}
    return all(own.get(name) == value for name, value in (labels or {}).items())


def _slots_of(obj: Object) -> Iterable[tuple[str, ...]]:
    key = key_of(obj)
    yield (key.kind,)
    yield ("namespace", key.kind, key.namespace)
    for name, value in (obj["metadata"].get("labels") or {}).items():
        yield ("label", key.kind, name, value)
