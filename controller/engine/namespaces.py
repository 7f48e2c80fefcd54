"""The namespace of a unit, before its record: on a real server nothing can be written into one that is not there."""

from __future__ import annotations

import threading

from controller.engine.cache import TargetCache
from controller.engine.trimming import is_terminating
from controller.model import labels
from controller.model.changes import Change
from controller.model.errors import Waiting
from controller.model.identity import ObjectKey
from controller.model.objects import Object, label, put
from controller.model.ports import ClusterClient

_ENDING = 5.0
"""Seconds until a namespace that is being deleted is looked at again."""


class Namespaces:
    """Makes missing namespaces of one target, each once; one that somebody else made is used as it is, never relabelled."""

    def __init__(self, client: ClusterClient, cache: TargetCache) -> None:
        self._client = client
        self._cache = cache
        self._lock = threading.Lock()

    def provide(self, change: Change) -> bool:
        """Whether it was made by this call. Raises Waiting for one that is being deleted."""
        with self._lock:
            if change.key in self._cache.of_unit(""):
                return False
            found = self._client.get(change.key)
            if found is not None and is_terminating(found):
                raise Waiting(f"{change.key} is being deleted", after=_ENDING, hint="it is made anew once it is gone")
            made = found or self._client.apply(put(change.desired or {}, "", "metadata", "resourceVersion"))
            self._cache.note(made)
            return found is None

    def doubt(self, name: str) -> None:
        """Something in a namespace failed: one that we only saw once, because it is not ours, may be gone."""
        key = ObjectKey("Namespace", "", name)
        known = self._cache.of_unit("").get(key)
        if known is not None and not is_ours(known):
            self._cache.forget(key)


def is_ours(namespace: Object) -> bool:
    """Whether Pointsman made a namespace; a platform's own may look different and stays so."""
    return label(namespace, labels.MANAGED_BY) == "pointsman"
