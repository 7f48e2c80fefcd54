"""Questions to the data plane: golden requests on a version URL, and who answers on an alias URL."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2

from controller.engine.secrets import PROBE_USER
from controller.engine.targets import Target
from controller.model import labels
from controller.model.changes import ConfirmCheck, GoldenCheck
from controller.model.declared import GoldenRequest
from controller.model.errors import PointsmanError
from controller.model.secret import Secret

_GATEWAY_FAULTS = (502, 503, 504)
_TRIES = 3
GATEWAY_LAG = 10.0
"""Seconds in which a gateway may not know yet of a route or of a ready replica that the API server has (Traefik: 2 s)."""
_SHOWN = 300
_MOST_BYTES = 8 << 20
CONFIRM_TIMEOUT = 20.0
"""Seconds to ask on one path, but for an answer under way, before the pass looks at everything again.

Traefik applies a route within 2 s (providersThrottleDuration).
"""
CONSECUTIVE = 2
_PAUSE = 0.5
_CONNECT = 5.0
"""Seconds to reach a gateway: it accepts at once, however long an endpoint takes."""
_log = logging.getLogger(__name__)


class _EndlessError(Exception):
    """An answer that is too large or takes too long to be compared with anything."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    workload: str | None
    text: str


def known_gateways(target: Target, given_up: Callable[[], bool]) -> tuple[str, ...]:
    """The gateway's replicas, waiting for the first one as long as for a confirmation; none means that nobody can be asked."""
    deadline = time.monotonic() + CONFIRM_TIMEOUT
    while True:
        found = _gateways(target)
        if found or given_up() or time.monotonic() >= deadline:
            return found
        time.sleep(_PAUSE)


def _gateways(target: Target) -> tuple[str, ...]:
    try:
        return target.gateways()
    except PointsmanError as error:
        _log.warning("the gateways of target %s are not known: %s", target.name, error.message)
        return ()


def run_golden(
    check: GoldenCheck, gateway: str, probe: Secret | None = None, *, host: str = "", lag: float = GATEWAY_LAG
) -> str | None:
    """Send each golden request through a gateway. None when all answers fit, else what the first misfit was.

    `probe` is the password for a guarded route, `host` what routes may be bound to. For `lag` seconds only the workload's
    own answers count, not the gateway's.
    """
    with _client(check.timeout, probe, host) as client:
        for request in check.requests:
            failure = _golden(client, gateway, check, request, lag)
            if failure:
                return f"{request.name}: {failure}"
    return None


def run_confirm(target: Target, check: ConfirmCheck, given_up: Callable[[], bool], probe: Secret | None = None) -> bool:
    """Whether, each within the time limit, every gateway answers on every path with the workload that it should lead to.

    `probe` is the password for guarded routes. Once `given_up` says so nobody is asked any more: a gateway that ended with
    its controller would never answer.
    """
    gateways = known_gateways(target, given_up)
    patience = httpx2.Timeout(check.patience, connect=_CONNECT)
    with _client(patience, probe, target.host) as client:
        asked = [(base + path, workload) for base in gateways for path, workload, _ in check.routes]
        return bool(gateways) and all(_answers(client, url, workload, given_up) for url, workload in asked)


def _client(timeout: float | httpx2.Timeout, probe: Secret | None, host: str) -> httpx2.Client:
    """Asks one replica under its own address, but for the host that everybody else asks for."""
    auth = (PROBE_USER, probe.reveal()) if probe else None
    headers = {"Host": host} if host else None
    return httpx2.Client(timeout=timeout, auth=auth, headers=headers, follow_redirects=False, trust_env=False)


def _golden(client: httpx2.Client, base: str, check: GoldenCheck, request: GoldenRequest, lag: float) -> str | None:
    """What was wrong with the last answer, or None."""
    url = base + check.path + ("" if request.path == "/" else request.path)
    deadline = time.monotonic() + lag
    for attempt in count(1):
        try:
            answer = _ask(client, request, url, check.timeout)
        except httpx2.HTTPError as error:
            failure: str | None = f"no answer: {error or type(error).__name__}"
        except _EndlessError as error:
            return str(error)
        except Exception as error:
            # A repository wrote this request: what HTTP cannot say raises errors of every kind (h11, codecs, URLs).
            return f"it cannot be sent: {error or type(error).__name__}"
        else:
            failure = _misfit(answer, check, request)
            if failure is None or (answer.workload == check.workload and answer.status not in _GATEWAY_FAULTS):
                return failure
        if attempt >= _TRIES and time.monotonic() >= deadline:
            return failure
        time.sleep(min(0.1 * attempt, 1.0))
    raise AssertionError("count() has no end")


def _ask(client: httpx2.Client, request: GoldenRequest, url: str, timeout: float) -> _Answer:
    """The whole answer. The gateway limits only how long an endpoint takes to begin; one that never ends holds no worker."""
    body, deadline = bytearray(), time.monotonic() + 2 * timeout
    with client.stream(request.method, url, headers=dict(request.headers), content=request.body) as answer:
        for block in answer.iter_bytes():
            body += block
            if len(body) > _MOST_BYTES:
                raise _EndlessError(f"the answer is larger than {_MOST_BYTES >> 20} MiB")
            if time.monotonic() > deadline:
                raise _EndlessError(f"the answer did not end within {2 * timeout:g} s")
    text = body.decode(answer.encoding or "utf-8", errors="replace")
    return _Answer(answer.status_code, answer.headers.get(labels.HEADER_WORKLOAD), text)


def _misfit(answer: _Answer, check: GoldenCheck, request: GoldenRequest) -> str | None:
    served = answer.workload
    if served is None and answer.status in _GATEWAY_FAULTS:
        return f"no answer but the gateway's own, {answer.status}: {_shown(answer.text)}"
    if served != check.workload:
        return f"answered by {served or 'somebody else'} instead of {check.workload}"
    if answer.status != request.status:
        return f"expected status {request.status}, got {answer.status}: {_shown(answer.text)}"
    if request.text is not None and request.text not in answer.text:
        return f"expected the text {_shown(request.text)!r}, got: {_shown(answer.text)}"
    return _json_misfit(answer.text, request.json) if request.expects_json else None


def _json_misfit(text: str, expected: Any) -> str | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return f"expected JSON, got: {_shown(text)}"
    return subset_misfit(expected, found)


def subset_misfit(expected: Any, found: Any, place: str = "json") -> str | None:
    """None when everything expected is in what was found: maps may have more keys, everything else is equal.

    A key whose value is null has to be there.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        if missing := [key for key in expected if key not in found]:
            return f"{place}.{missing[0]} is missing"
        misfits = (subset_misfit(v, found[k], f"{place}.{k}") for k, v in expected.items())
        return next((misfit for misfit in misfits if misfit), None)
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return next((m for i, (e, f) in pairs if (m := subset_misfit(e, f, f"{place}[{i}]"))), None)
    same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
    return None if same else f"expected {place} = {_shown(json.dumps(expected))}, got {_shown(json.dumps(found))}"


def _answers(client: httpx2.Client, url: str, workload: str, given_up: Callable[[], bool]) -> bool:
    streak, pause, deadline = 0, 0.01, time.monotonic() + CONFIRM_TIMEOUT
    while not given_up() and (streak or time.monotonic() < deadline):
        try:
            served = client.head(url).headers.get(labels.HEADER_WORKLOAD)
        except httpx2.HTTPError:
            served = None
        streak = streak + 1 if served == workload else 0
        if streak >= CONSECUTIVE:
            return True
        if streak == 0:
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
    return False


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"
