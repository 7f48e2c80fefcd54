"""Secrets of a target, read by name and remembered: nobody may list or watch them, and a pass without a change asks nothing."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from controller.model.declared import USERS_KEY
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object, at
from controller.model.ports import ClusterClient
from controller.model.secret import Secret

MISSING_POLL = 5.0
"""Seconds between looks for a Secret, or a key of one, that is missing."""
USERS_POLL = 60.0
"""Seconds for which the users of guarded routes stay good: so late a removed user still comes in."""
PROBE_USER = "pointsman-probe"
EARLY = 0.5
"""Seconds that a timer may be early."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A Secret as it was at a moment of the monotonic clock: its keys, and of users the text."""

    at: float
    keys: frozenset[str] | None
    users: Secret | None = None


class Secrets:
    """What passes know of a target's Secrets. Values other than lists of users are never kept."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[ObjectKey, _Known] = {}
        self._declared: dict[UnitKey, object] = {}

    def renew(self, unit: UnitKey, declared: object, namespace: str, names: Iterable[str]) -> None:
        """Forget what a unit uses when its deployment says something else than when it was asked for last."""
        with self._lock:
            before = self._declared.get(unit)
            self._declared[unit] = declared
            if before is not None and before is not declared and before != declared:
                for name in names:
                    self._known.pop(ObjectKey("Secret", namespace, name), None)

    def forget(self, unit: UnitKey) -> None:
        """A unit that is gone."""
        with self._lock:
            self._declared.pop(unit, None)

    def forget_all(self) -> None:
        """A person asked for another look."""
        with self._lock:
            self._known.clear()

    def keys(self, namespace: str, wanted: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
        """The keys of each Secret of which (name, key) pairs are wanted; a Secret that is not there is left out."""
        needed: dict[str, set[str]] = {}
        for name, key in wanted:
            needed.setdefault(name, set()).add(key)
        found = {name: self._get(ObjectKey("Secret", namespace, name), keys).keys for name, keys in sorted(needed.items())}
        return {name: keys for name, keys in found.items() if keys is not None}

    def users(self, declared: ObjectKey, copy: ObjectKey, probe: Secret | None) -> Secret | None:
        """The whole list of who may come in, our own probe included; None where there is none.

        Who only looks does not know the `probe`: its line is then what the gateway's `copy` says.
        """
        known = self._get(declared, {USERS_KEY}, USERS_POLL)
        if known.users is None:
            return None
        lines = [known.users.reveal().strip(), probe_line(probe) if probe else self._probe_line_in(copy)]
        return Secret("\n".join(line for line in lines if line) + "\n")

    def _probe_line_in(self, copy: ObjectKey) -> str:
        users = self._get(copy, {USERS_KEY}, USERS_POLL).users
        lines = users.reveal().splitlines() if users else ()
        return next((line for line in lines if line.startswith(f"{PROBE_USER}:")), "")

    def _get(self, key: ObjectKey, needed: Collection[str], good_for: float = float("inf")) -> _Known:
        now = time.monotonic()
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            lacks = known.keys is None or not known.keys.issuperset(needed)
            if now < known.at + (MISSING_POLL if lacks else good_for) - EARLY:
                return known
        fresh = _read(self._client.get(key), now)
        with self._lock:
            self._known[key] = fresh
        return fresh


def probe_line(password: Secret) -> str:
    """The probe's line of a list of users; `{SHA}` is what Traefik, Envoy Gateway and the embedded gateway all accept.

    The password is random and long, so that a fast hash gives nothing away.
    """
    digest = hashlib.sha1(password.reveal().encode(), usedforsecurity=False).digest()
    return f"{PROBE_USER}:{{SHA}}{base64.b64encode(digest).decode()}"


def _read(found: Object | None, now: float) -> _Known:
    if found is None:
        return _Known(now, None)
    data = at(found, "data", default={})
    return _Known(now, frozenset(data), _users(data[USERS_KEY]) if USERS_KEY in data else None)


def _users(encoded: str) -> Secret | None:
    try:
        return Secret(base64.b64decode(encoded or "", validate=True).decode())
    except ValueError:  # not base64, or not text: nobody could be let in by it
        return None
