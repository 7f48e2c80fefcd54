"""The measure of a switch: ten clients that never pause, and not one request that fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cluster.stage import Stage
from tests.system.load import Judge, Load
from tests.system.repository import ENDPOINT

FRESH = 2
"""Clients that open a new connection for every request, beside those that keep theirs."""
PAUSE = 0.02


def constant_load(stage: Stage, name: str, judge: Judge | None = None, endpoint: str = ENDPOINT) -> Load:
    """Ask an alias or a version at all gateway replicas in turn, until the context ends."""
    return Load(stage.urls(name, endpoint), judge or answer_agrees, fresh=FRESH, pause=PAUSE)


def answer_agrees(headers: Mapping[str, str], said: Mapping[str, Any]) -> str | None:
    """Headers name the version, and a workload of that version, whose process has answered."""
    version, workload = headers["x-pointsman-version"], headers["x-pointsman-workload"]
    agrees = said["version"] == version and said["code"] == f"code of {version}" and said["pod"].startswith(f"{workload}-")
    return None if agrees else f"{version} {workload}: {said}"
