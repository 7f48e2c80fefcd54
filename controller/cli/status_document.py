"""The JSON of `status`: stable, every key in docs/reference/status.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.cli.unit_status import AliasStatus, UnitStatus
from controller.cli.version_status import VersionStatus
from controller.cli.workload_status import EndpointStatus
from controller.model.changes import Gate, Hold
from controller.model.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that `status` tells. `revision` is what git says now, `pid` the embedded target's controller.

    `targets` are the Kubernetes ones that were looked at, none for the embedded one: whether their controllers run is not
    known. `notes` say what the caller may not read.
    """

    source: str
    revision: str | None
    pid: int | None
    url: str
    errors: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    units: tuple[UnitStatus, ...]
    notes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @property
    def is_left_alone(self) -> bool:
        """Whether it is known that no controller looks after this."""
        return self.pid is None and not self.targets


def document(found: Overview) -> dict[str, Any]:
    """As plain data: times as RFC 3339 in UTC, null where something is unknown."""
    return {
        "source": found.source,
        "revision": found.revision,
        "controller": {"running": None if found.targets else found.pid is not None, "pid": found.pid, "url": found.url},
        "errors": list(found.errors),
        "notes": list(found.notes),
        "diagnostics": [_diagnostic(diagnostic) for diagnostic in found.diagnostics],
        "units": [_unit(unit) for unit in found.units],
    }


def moment(at: float | None) -> str | None:
    """Seconds since the epoch as `2018-10-03T14:05:09Z`."""
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _unit(status: UnitStatus) -> dict[str, Any]:
    return {
        "unit": str(status.unit),
        "target": status.target,
        "deployment": status.unit.deployment,
        "health": status.health.health.value,
        "message": status.health.message,
        "attempted": status.attempted or None,
        "applied": status.applied or None,
        "settled": status.settled,
        "conditions": [
            {"type": c.type, "status": c.status, "reason": c.reason, "message": c.message, "since": moment(c.since)}
            for c in status.conditions
        ],
        "aliases": [_alias(alias) for alias in status.aliases],
        "versions": [_version(version) for version in status.versions],
        "gates": _gates(status.gates),
        "failures": _gates(status.failures),
        "holds": [_hold(hold) for hold in status.holds],
        "warnings": list(status.warnings),
    }


def _alias(alias: AliasStatus) -> dict[str, Any]:
    return {
        "name": alias.name,
        "version": alias.version,
        "wants": alias.wants,
        "pinned": alias.pinned,
        "state": alias.state,
        "settled": alias.settled,
        "messages": list(alias.messages),
        "endpoints": [_endpoint(endpoint) for endpoint in alias.endpoints],
    }


def _version(version: VersionStatus) -> dict[str, Any]:
    return {
        "name": version.name,
        "commit": version.commit,
        "provisional": version.provisional,
        "enabled": version.enabled,
        "state": version.state,
        "until": moment(version.until),
        "aliases": list(version.aliases),
        "messages": list(version.messages),
        "endpoints": [_endpoint(endpoint) for endpoint in version.endpoints],
    }


def _endpoint(endpoint: EndpointStatus) -> dict[str, Any]:
    return {
        "endpoint": endpoint.endpoint,
        "version": endpoint.version,
        "workload": endpoint.workload,
        "ready": endpoint.ready,
        "wanted": endpoint.wanted,
        "health": endpoint.health.value,
        "message": endpoint.message,
        "url": endpoint.url,
    }


def _gates(gates: Iterable[Gate]) -> list[dict[str, Any]]:
    return [
        {"subject": str(g.subject), "reason": g.reason, "message": g.message, "until": moment(g.until), "clock": g.clock}
        for g in gates
    ]


def _hold(hold: Hold) -> dict[str, Any]:
    return {"subject": str(hold.subject), "reason": hold.reason, "message": hold.message, "hint": hold.hint}


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    return {
        "code": found.code,
        "severity": found.severity.value,
        "message": found.message,
        "location": str(found.location),
        "subject": str(found.subject),
        "hint": found.hint,
    }
