"""What is known of one target without asking, and what is asked for by name because nobody may watch it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from controller.engine.cache import TargetCache
from controller.engine.namespaces import Namespaces
from controller.engine.remembered import Remembered
from controller.engine.secrets import EARLY, USERS_POLL, Secrets
from controller.engine.targets import Target
from controller.engine.trimming import trimmed
from controller.model.errors import Forbidden, Stalled
from controller.model.identity import ObjectKey
from controller.model.objects import Object
from controller.model.observed import NodeRoom

ROOMS_GOOD_FOR = 15.0
"""Seconds for which the room on the nodes is taken as it was."""
GATEWAY_GOOD_FOR = 15.0


class Sight:
    """A target's cache, and the answers to what was asked beside it."""

    def __init__(self, target: Target, cache: TargetCache) -> None:
        self.target = target
        self.cache = cache
        self.secrets = Secrets(target.client)
        self.namespaces = Namespaces(target.client, cache)
        self._looked_at: dict[ObjectKey, float] = {}
        self._unread: set[ObjectKey] = set()
        self._gateway = Remembered(self._ask_gateway, GATEWAY_GOOD_FOR)
        self._nodes = Remembered(self._ask_nodes, ROOMS_GOOD_FOR)

    def gateway(self) -> Object | None:
        """The Gateway that routes name: `{}` where it certainly is not there, None where this caller may not read it."""
        return self._gateway.get()

    def nodes(self) -> tuple[NodeRoom, ...] | None:
        """The room on the target's nodes; None where it has none to speak of, or this caller may not ask."""
        return self._nodes.get()

    def look_at_unwatched(self, keys: Iterable[ObjectKey]) -> frozenset[ObjectKey]:
        """Have the cache know objects of ours that nobody watches, looking at them now and then; those that nobody can read.

        They are Secrets, and what belongs to another class of gateway than the target has now.
        """
        now = time.monotonic()
        wanted = frozenset(key for key in keys if not self.cache.follows(key.kind))
        for key in sorted(wanted):
            if self._looked_at.get(key, 0.0) <= now:
                self._look_at(key)
                self._looked_at[key] = now + USERS_POLL - EARLY
        return frozenset(key for key in wanted if key in self._unread)

    def _look_at(self, key: ObjectKey) -> None:
        try:
            found = self.target.client.get(key)
        except Stalled:  # forbidden, or the other gateway's definitions are gone from the cluster
            if key.kind == "Secret":
                raise
            self._unread.add(key)
            return
        self._unread.discard(key)
        if found is None:
            self.cache.miss(key)
        else:
            self.cache.note(found)

    def foreign(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, Object]:
        """What lies under these names that the cache does not know: it lacks our label, so nobody watches it."""
        found = {key: self.target.client.get(key) for key in keys}
        return {key: trimmed(obj) for key, obj in found.items() if obj is not None}

    def _ask_gateway(self) -> Object | None:
        profile = self.target.profile
        try:
            return self.target.client.get(ObjectKey("Gateway", profile.gateway_namespace, profile.gateway)) or {}
        except Stalled:  # forbidden, or a cluster without the Gateway API: whoever needs routes hears of that elsewhere
            return None

    def _ask_nodes(self) -> tuple[NodeRoom, ...] | None:
        if self.target.capacity is None:
            return None
        try:
            return self.target.capacity()
        except Forbidden:
            return None
