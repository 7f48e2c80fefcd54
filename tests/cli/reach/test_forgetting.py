"""Forgetting what the caller may not look at: the record stays, and the role that is missing is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from controller.cli.forget import _remove
from controller.cli.inventory import removal_of
from controller.cli.reach.opening import Reached
from controller.cli.records_of import Recorded
from controller.embedded.store import EmbeddedStore
from controller.model.errors import Forbidden, Stalled
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object
from controller.model.record import UnitRecord

pytestmark = pytest.mark.contract
UNIT = UnitKey("acme", "shop", "americas")
SERVICE = ObjectKey("Service", UNIT.namespace, "say")
ROLES = Path(__file__).parents[3] / "manifests" / "people"


class Closed(EmbeddedStore):
    """A target that lets nothing be read."""

    def get(self, key: ObjectKey) -> Object | None:
        raise Forbidden(f"may not get {key}")


def test_the_hint_names_a_role_that_may_remove_what_could_not_be_read(tmp_path: Path) -> None:
    found = Recorded(UNIT, UNIT.namespace, "u-1", UnitRecord(UNIT, inventory=frozenset({SERVICE})))
    with Closed(tmp_path) as store:
        reached = Reached("here", store)
        removal = removal_of(reached, found)
        assert removal.unread == {SERVICE}
        with pytest.raises(Stalled, match="1 objects could not be read, so its record stays") as raised:
            _remove(reached, found, removal)
    [name] = re.findall(r"ClusterRole (\S+),", str(raised.value.hint))
    roles = [yaml.safe_load(file.read_text()) for file in ROLES.glob("*.yaml")]
    [role] = [role for role in roles if role["kind"] == "ClusterRole" and role["metadata"]["name"] == name]
    verbs = {verb for rule in role["rules"] if "services" in rule["resources"] for verb in rule["verbs"]}
    assert {"get", "delete"} <= verbs
