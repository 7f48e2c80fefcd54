"""Git claims, the configuration grants: what is claimed in vain is held, and what runs stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.declared_repository import VALOHAI
from controller.engine.controller import Controller
from controller.engine.grants import Granted
from controller.images.registry.granted_bases import BaseGrants
from controller.render.images import image_spec
from tests.embedded.gateway.servers import eventually
from tests.engine.several import Declared, Several, several

pytestmark = pytest.mark.system


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Several]:
    with several(tmp_path / "targets", "east") as made:
        yield made


def codes(controller: Controller) -> list[str]:
    return sorted(d.code for publication in controller.publications() for d in publication.declared.diagnostics)


def routes(one: Several) -> dict[str, object]:
    """What each route leads to."""
    return {str(obj["metadata"]["name"]): obj["spec"] for obj in one.stores["east"].list("HTTPRoute").items}


@pytest.mark.parametrize(
    ("projects", "targets", "code"),
    [(("acme/b", "other/*"), ("*",), "PM601"), (("acme/*",), ("w*",), "PM602")],
)
def test_a_claim_that_is_not_granted_is_held(
    one: Several, tmp_path: Path, projects: tuple[str, ...], targets: tuple[str, ...], code: str
) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    with declared.source() as source, one.controlled([Granted(source, projects, targets)]) as controller:
        assert eventually(lambda: codes(controller) == [code])
        assert eventually(lambda: not controller.units() or controller.result(declared.unit) is not None)
    assert one.stores["east"].written == []


def test_an_image_may_use_the_package_indexes_that_its_source_is_granted(one: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    with declared.source() as source, one.controlled([Granted(source, indexes=("company",))]) as controller:
        assert eventually(lambda: controller.publications() != ())
        (found,) = (publication.declared for publication in controller.publications())
        version = next(iter(found.versions.values()))
        spec = image_spec(found, version, next(iter(version.endpoints)), one.targets["east"].profile)
        assert (found.indexes, spec.indexes) == (("company",), ("company",))


def test_what_runs_stays_when_its_grant_ends(one: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    with declared.source() as source, one.controlled([Granted(source)]) as controller:
        assert eventually(lambda: bool((r := controller.result(declared.unit)) and r.plan.is_settled))
    one.stores["east"].forget()
    with declared.source() as source, one.controlled([Granted(source, ("nobody/*",))]) as controller:
        assert eventually(lambda: bool((r := controller.result(declared.unit)) and r.plan.holds))
    assert one.stores["east"].deleted == []
    assert {obj["kind"] for obj in one.stores["east"].written} <= {"ConfigMap"}


def test_a_base_that_is_not_granted_holds_its_version_and_leaves_the_alias_where_it_was(one: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    bases = BaseGrants(("docker.io/library/python:3.*",))
    with declared.source() as source, one.controlled([Granted(source, bases=bases)]) as controller:
        assert eventually(lambda: bool((r := controller.result(declared.unit)) and r.plan.is_settled))
        before = routes(one)
        pinned = 'base: {predict: "pythno:3.11"}\n'
        alias = 'version: "v2"\n'
        directory = "pointsman/deployments/americas/aliases/production.yaml"
        declared.commit({"pointsman/versions/v2.yaml": pinned, directory: alias})
        controller.wake()
        assert eventually(lambda: codes(controller) == ["PM304", "PM605"])
        assert eventually(lambda: bool((r := controller.result(declared.unit)) and r.plan.holds))
        found = controller.publications()[0].declared
        told = next(str(d) for d in found.diagnostics if d.code == "PM605")
        assert routes(one) == before
    assert told.startswith("pointsman/versions/v2.yaml:1:17: error: the base image `pythno:3.11` is not granted to this source")
    assert "granted: docker.io/library/python:3.*; ask whoever runs the controller" in told


def test_a_base_in_the_code_is_told_of_at_its_line_there(one: Several, tmp_path: Path) -> None:
    declared = Declared(tmp_path / "a", "a", "east")
    with declared.source() as source, one.controlled([Granted(source, bases=BaseGrants(()))]) as controller:
        assert eventually(lambda: codes(controller) == ["PM304", "PM605"])
        place = next(d for d in controller.publications()[0].declared.diagnostics if d.code == "PM605")
    lines = VALOHAI.splitlines()
    assert "image:" in lines[place.location.line - 1]
    assert place.location.file == "valohai.yaml"
    assert place.message.endswith("(in the code of version `v1`)")
    assert not [obj for obj in one.stores["east"].written if obj["kind"] == "Deployment"]


def test_of_two_sources_that_declare_a_project_the_second_by_name_is_held(one: Several, tmp_path: Path) -> None:
    first, second = Declared(tmp_path / "1", "same", "east"), Declared(tmp_path / "2", "same", "east")
    with first.source() as a, second.source() as b, one.controlled([Granted(b), Granted(a)]) as controller:
        assert eventually(lambda: codes(controller) == ["PM603"])
        held = {p.source.name: [str(d) for d in p.declared.diagnostics] for p in controller.publications()}
        assert held[a.name] == []
        assert a.name in held[b.name][0]
        assert b.name in held[b.name][0]
        assert eventually(lambda: bool((r := controller.result(first.unit)) and r.plan.is_settled))
        result = controller.result(first.unit)
        assert result
        assert result.publication.source is a


def test_a_unit_waits_for_the_source_that_its_record_names(one: Several, tmp_path: Path) -> None:
    ours = Declared(tmp_path / "2", "same", "east")
    with ours.source() as source, one.controlled([Granted(source)]) as controller:
        assert eventually(lambda: bool((r := controller.result(ours.unit)) and r.plan.is_settled))
    one.stores["east"].forget()
    theirs = Declared(tmp_path / "3", "same", "east")
    (tmp_path / "2").rename(tmp_path / "away")
    with theirs.source() as b:
        (tmp_path / "away").rename(tmp_path / "2")
        with ours.source() as a:
            (tmp_path / "2").rename(tmp_path / "away")
            with one.controlled([Granted(a), Granted(b)]) as controller:
                assert eventually(lambda: controller.source_errors() != () and controller.publications() != ())
                assert controller.result(ours.unit) is None
                (tmp_path / "away").rename(tmp_path / "2")
                assert eventually(lambda: bool((r := controller.result(ours.unit)) and r.plan.is_settled))
    assert one.stores["east"].deleted == []
