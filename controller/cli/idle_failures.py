"""A version that no alias leads to and that keeps ending: the only thing that may hold up a unit in which all else is well."""

from __future__ import annotations

from controller.cli.unit_status import UnitStatus
from controller.cli.version_status import VersionStatus
from controller.model.conditions import Health

_ENOUGH = 3
"""So many restarts are no accident: one may have been a neighbour that was not up yet."""


def idle_failure(status: UnitStatus) -> str | None:
    """What to say where idle versions that crash again and again are all that a unit still waits for. Else None."""
    idle = [version for version in status.versions if version.enabled and not version.aliases]
    if any(version.state == "waiting" or not version.endpoints for version in idle):
        return None
    failed = [version for version in idle if version.state == "failed"]
    if not failed or not all(_loops(version) for version in failed):
        return None
    words = "; ".join(f"{version.name} does not run ({', '.join(_troubles(version))})" for version in failed)
    return f"every alias serves, but the idle {words}"


def idle_hint(status: UnitStatus) -> str:
    """How to be rid of it, or to wait for what matters."""
    name = next((version.name for version in status.versions if version.state == "failed"), "VERSION")
    return f"pointsman version retire {name}; or wait for one alias: pointsman status {status.unit.deployment}/ALIAS --wait"


def _loops(version: VersionStatus) -> bool:
    return any(e.health is Health.DEGRADED and e.restarts >= _ENOUGH for e in version.endpoints)


def _troubles(version: VersionStatus) -> tuple[str, ...]:
    return tuple(dict.fromkeys(e.message for e in version.endpoints if e.health is Health.DEGRADED))
