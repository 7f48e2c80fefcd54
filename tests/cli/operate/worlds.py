"""Units of the plan's own test world, as `status` sees them."""

from __future__ import annotations

from controller.cli.unit_status import UnitStatus, unit_status
from controller.cli.workload_status import Seen
from controller.engine.planning import PlannedUnit
from controller.model.declared import DeclaredState
from controller.model.source import Revision
from tests.plan.world import UNIT, World

URL = "http://127.0.0.1:8080"


def status_of(world: World, *, running: bool = True, read: bool = True) -> UnitStatus:
    """The status of the world's unit; without `read` as if git could not be read."""
    seen = Seen(UNIT, world.record, world.observed(), URL, world.now)
    if not read:
        return unit_status(seen, None, None, running=running)
    return unit_status(seen, declared_in(world), PlannedUnit(world.plan(), world.desired()), running=running)


def declared_in(world: World) -> DeclaredState:
    assert world.declared is not None
    versions = {name: served.version for name, served in world.declared.versions.items()}
    return DeclaredState(Revision("main", f"{world.revision:040d}"), "ruksi", "mnist", versions, {"americas": world.declared})
