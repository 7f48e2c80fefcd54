"""Whether what is declared answers over HTTP: every alias of every deployment, with the right version."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2

from controller.cli.serving import Serving
from controller.model import labels
from controller.model.errors import Stalled

_LOOK_EVERY = 0.1
_TIMEOUT = 10.0
LONGEST = 600.0
"""Seconds; a first demo downloads the packages of the sample's endpoints."""


def await_answers(serving: Serving, *, longest: float = LONGEST) -> list[str]:
    """The URLs of all aliases' endpoints, once each has answered with the version that is declared.

    Raises Stalled with the reason when a switch failed, something is held, or it takes too long.
    """
    deadline = time.monotonic() + longest
    with httpx2.Client(timeout=_TIMEOUT, trust_env=False) as client:
        while time.monotonic() < deadline:
            declared = dict(declared_urls(serving))
            answered = bool(declared) and all(_answers(client, url, version) for url, version in declared.items())
            if answered and _is_settled(serving):
                return sorted(declared)
            _require_hope(serving)
            time.sleep(_LOOK_EVERY)
    raise Stalled(f"not everything answers after {longest:g} s", hint="the lines above say what it waits for")


def declared_urls(serving: Serving) -> Iterator[tuple[str, str]]:
    """(URL, version) of each endpoint that an alias declares."""
    for publication in serving.controller.publications():
        declared = publication.declared
        for deployment in declared.deployments.values():
            for alias in deployment.aliases.values():
                base = f"{serving.url}/{declared.owner}/{declared.project}/{deployment.name}/{alias.name}"
                for endpoint in deployment.versions[alias.version].version.endpoints:
                    yield f"{base}/{endpoint}", alias.version


def _answers(client: httpx2.Client, url: str, version: str) -> bool:
    try:
        answer = client.get(url)
    except httpx2.HTTPError:
        return False
    return answer.is_success and answer.headers.get(labels.HEADER_VERSION) == version


def _is_settled(serving: Serving) -> bool:
    """Whether the controller too has seen that every switch arrived."""
    results = [serving.controller.result(unit) for unit in serving.controller.units()]
    return all(result is not None and result.plan.is_settled for result in results)


def _require_hope(serving: Serving) -> None:
    for unit in serving.controller.units():
        result = serving.controller.result(unit)
        plan = result.plan if result else None
        messages = [why.message for why in plan.failures] + [why.message for why in plan.holds] if plan else []
        if messages:
            raise Stalled(f"{unit.deployment}: {'; '.join(messages)}")
