"""Which one of several controllers works on a cluster: a `coordination.k8s.io` Lease, held by compare-and-swap.

The Lease gives liveness only; two holders for a moment do no harm, because every record is written by compare-and-swap.
As in client-go, no clock of another machine is trusted: a Lease has expired when it has not changed for its whole duration
by the local monotonic clock.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.model.errors import Conflict, PointsmanError
from controller.model.identity import ObjectKey
from controller.model.objects import API_VERSIONS, Object, at
from controller.model.ports import ClusterClient

_RENEW_EVERY, _GIVE_UP_AFTER = 1 / 5, 2 / 3
"""Parts of the duration: how often a holder renews, and when it no longer believes that it holds (client-go: 2/15, 10/15)."""
_STOPPING = 5.0
_MANAGER = "pointsman-lease"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The Lease's last observed state and since when, by the local clock, it has been so."""

    version: str
    since: float
    transitions: int


class LeaderLease:
    """One contender. `identity` must be unique among processes; `duration` is in seconds.

    `holder` is who holds the Lease as far as was seen last. Errors of the cluster are logged and tried again.
    """

    def __init__(
        self,
        client: ClusterClient,
        namespace: str,
        name: str,
        identity: str,
        duration: float = 15.0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._key = ObjectKey("Lease", namespace, name)
        self._identity = identity
        self._duration = duration
        self._clock = clock
        self._seen = _Seen("", float("-inf"), 0)
        self._renewed = float("-inf")
        self._stop = threading.Event()
        self._judged = threading.Condition()
        self._threads: tuple[threading.Thread, ...] = ()
        self.holder = ""

    @property
    def held(self) -> bool:
        """Whether this process may still believe that it leads."""
        return self.holder == self._identity and self._clock() - self._renewed < self._duration * _GIVE_UP_AFTER

    def start(
        self, on_acquired: Callable[[], None], on_lost: Callable[[], None], on_led: Callable[[str], None] = lambda _holder: None
    ) -> None:
        """Contend until `stop`. `on_led` is told who else leads, once per holder.

        All are called from one thread, which never waits for the cluster: `on_lost` comes in time.
        """
        judge = threading.Thread(target=self._judge, args=(on_acquired, on_lost, on_led), name="lease-judge", daemon=True)
        contender = threading.Thread(target=self._contend, name="lease", daemon=True)
        self._threads = (judge, contender)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End contending without a callback, and give the Lease back, so that the next one need not wait for it to expire."""
        self._stop.set()
        with self._judged:
            self._judged.notify_all()
        for thread in self._threads:
            thread.join(_STOPPING)
        self.release()

    def try_once(self) -> bool:
        """Acquire or renew; whether it is held now. Raises the cluster's errors, `Conflict` when another was faster."""
        lease = self._client.get(self._key)
        self._observe(lease)
        if self.holder not in ("", self._identity) and not self._expired():
            return False
        if self._stop.is_set():  # what `stop` gives back is not taken again
            return False
        begun = self._clock()
        self._observe(self._client.apply(self._next(lease), manager=_MANAGER))
        self._renewed = begun
        return self.held

    def release(self) -> None:
        """Give back what is held. A failure is harmless: the Lease expires by itself."""
        if self.holder != self._identity:
            return
        try:
            lease = self._client.get(self._key)
            if lease is not None and at(lease, "spec", "holderIdentity", default="") == self._identity:
                self._client.apply(self._lease(lease, "", 1), manager=_MANAGER)
        except PointsmanError as error:
            _log.warning("%s was not released: %s", self._key, error)
        self.holder = ""

    def _contend(self) -> None:
        while not self._stop.is_set():
            self._try()
            with self._judged:
                self._judged.notify_all()
            self._stop.wait(self._duration * _RENEW_EVERY * random.uniform(0.8, 1.2))  # noqa: S311

    def _judge(self, on_acquired: Callable[[], None], on_lost: Callable[[], None], on_led: Callable[[str], None]) -> None:
        leading, known = False, ""
        while not self._stop.is_set():
            if self.held != leading:
                leading = not leading
                (on_acquired if leading else on_lost)()
            if (holder := self.holder) not in ("", known):
                known = holder
                if holder != self._identity:
                    on_led(holder)
            with self._judged:
                if self.held == leading and not self._stop.is_set():
                    self._judged.wait(self._left() if leading else None)

    def _left(self) -> float:
        """Seconds until `held` ends by itself."""
        return max(self._renewed + self._duration * _GIVE_UP_AFTER - self._clock(), 0.0)

    def _try(self) -> None:
        try:
            self.try_once()
        except Conflict:
            _log.info("%s was taken by another at the same moment", self._key)
        except PointsmanError as error:
            _log.warning("%s: %s", self._key, error)
        except Exception:
            # A fault of ours: without this thread the Lease could never be had again.
            _log.exception("%s", self._key)

    def _observe(self, lease: Object | None) -> None:
        version = lease["metadata"]["resourceVersion"] if lease else ""
        self.holder = at(lease or {}, "spec", "holderIdentity", default="")
        if version != self._seen.version:
            transitions = at(lease or {}, "spec", "leaseTransitions", default=0)
            self._seen = _Seen(version, self._clock(), transitions)

    def _expired(self) -> bool:
        return self._clock() - self._seen.since >= self._duration

    def _next(self, lease: Object | None) -> Object:
        return self._lease(lease, self._identity, max(math.ceil(self._duration), 1))

    def _lease(self, lease: Object | None, holder: str, seconds: int) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = at(lease or {}, "spec", "holderIdentity", default="") == holder
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "acquireTime": at(lease or {}, "spec", "acquireTime", default=now) if same else now,
            "renewTime": now,
            "leaseTransitions": self._seen.transitions + (0 if same or not holder else 1),
        }
        version = lease["metadata"]["resourceVersion"] if lease else ""
        metadata = {"namespace": self._key.namespace, "name": self._key.name, "resourceVersion": version}
        return {"apiVersion": API_VERSIONS["Lease"], "kind": "Lease", "metadata": metadata, "spec": spec}
