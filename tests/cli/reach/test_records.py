"""Units on a target that holds several projects, and what a caller may see of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.cli.reach.limits import Limited
from controller.cli.reach.opening import Reached
from controller.cli.records_of import recorded_units, unit_of, unit_with_alias, units_of
from controller.embedded.store import EmbeddedStore
from controller.model import labels
from controller.model.errors import Forbidden, Stalled
from controller.model.identity import UnitKey
from controller.model.ports import Labels, Listing
from controller.model.record import UnitRecord
from controller.state.record_format import to_config_map

pytestmark = pytest.mark.pure

SHOP, MINT = UnitKey("acme", "shop", "americas"), UnitKey("acme", "mint", "americas")


class OneNamespace(EmbeddedStore):
    """A store whose caller may list one namespace alone."""

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        if namespace != SHOP.namespace:
            raise Forbidden(f"cannot list {kind}")
        return super().list(kind, namespace=namespace, labels=labels)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with OneNamespace(tmp_path / "store") as opened:
        for unit in (SHOP, MINT):
            opened.apply(to_config_map(UnitRecord(unit, attempted="main@sha1:a")))
        yield opened


@pytest.fixture
def everything(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> EmbeddedStore:
    monkeypatch.setattr(OneNamespace, "list", EmbeddedStore.list)
    return store


def reached(client: EmbeddedStore, **limits: str | None) -> Reached:
    return Reached("us-east", Limited(client, limits.get("namespace"), limits.get("fallback")))


def test_all_projects_of_a_cluster_or_the_one_that_is_declared_here(everything: EmbeddedStore) -> None:
    found = reached(everything)
    assert [each.unit for each in recorded_units(found)] == [MINT, SHOP]
    here = replace(found, project=("acme", "shop"))
    assert [each.unit for each in units_of(here, "americas")] == [SHOP]


def test_a_deployment_of_several_projects_is_named_in_full(everything: EmbeddedStore) -> None:
    with pytest.raises(Stalled, match="2 projects have a deployment `americas`") as raised:
        unit_of(reached(everything), "americas")
    assert raised.value.hint == "name one: acme/mint/americas, acme/shop/americas"
    assert unit_of(reached(everything), "acme/shop/americas").namespace == SHOP.namespace


def test_an_alias_of_several_projects_is_named_in_full(everything: EmbeddedStore) -> None:
    for unit in (SHOP, MINT):
        metadata = {
            "name": "production",
            "namespace": unit.namespace,
            "labels": {labels.UNIT: unit.hash},
            "annotations": {labels.ALIAS: "production"},
        }
        everything.apply({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata})
    with pytest.raises(Stalled, match="2 deployments serve `production`") as raised:
        unit_with_alias(reached(everything), "production", None)
    assert raised.value.hint == "name one: -d acme/mint/americas"
    assert unit_with_alias(reached(everything), "production", "acme/shop/americas").unit == SHOP


def test_who_may_see_one_namespace_says_which_or_stands_in_its_repository(store: EmbeddedStore) -> None:
    with pytest.raises(Forbidden) as raised:
        recorded_units(reached(store))
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("-n NAMESPACE")
    for limits in ({"namespace": SHOP.namespace}, {"fallback": SHOP.namespace}):
        assert [each.unit for each in recorded_units(reached(store, **limits))] == [SHOP]


def test_a_record_that_cannot_be_read_hides_no_other(everything: EmbeddedStore, capsys: pytest.CaptureFixture[str]) -> None:
    broken = dict(to_config_map(UnitRecord(UnitKey("acme", "old", "x"))), data={"record.json": "{"})
    everything.apply(broken)
    assert [each.unit for each in recorded_units(reached(everything))] == [MINT, SHOP]
    assert "cannot be read" in capsys.readouterr().err
