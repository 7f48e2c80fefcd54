"""What a pass costs where nothing changed, and what one changed alias costs among many units: counted, never timed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.declared_repository import Shape, deployment_name, move_alias, version_name
from controller.engine import desire
from controller.engine.sources import SourceLoop, changed_first
from controller.model import labels
from controller.model.identity import UnitKey
from controller.model.objects import annotation, label
from tests.embedded.gateway.servers import eventually
from tests.engine.counting import counted
from tests.engine.settling import Settling, settling

pytestmark = pytest.mark.system

SHAPE = Shape(deployments=40, each=2)
MOVED = deployment_name(7)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settling]:
    """All units applied, their replicas ready, their aliases confirmed. Each test leaves them so."""
    with settling(tmp_path_factory.mktemp("settled"), SHAPE) as made:
        made.settle()
        yield made


def test_a_pass_without_a_change_asks_the_world_for_nothing(settled: Settling) -> None:
    settled.store.forget()
    with counted() as counts:
        results = [settled.run(unit) for unit in settled.units]
    assert all(result.plan.is_settled for result in results)
    assert (counts["programs"], counts["fsyncs"], counts["files"]) == (0, 0, 0)
    assert (settled.store.lists, settled.store.written, settled.store.deleted) == (0, [], [])


def test_a_pass_without_a_change_renders_nothing_and_looks_for_no_image(
    settled: Settling, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []
    monkeypatch.setattr(desire, "render", lambda *_, **__: rendered.append("render"))
    looks = settled.images.looks
    for unit in settled.units:
        settled.run(unit)
    assert (rendered, settled.images.looks) == ([], looks)


def test_a_source_without_a_new_commit_is_not_read_again(settled: Settling) -> None:
    published = []
    loop = SourceLoop(settled.source, published.append, lambda _: None, interval=0.001)
    token = settled.source.token()
    with counted() as counts:
        assert [settled.source.token() for _ in range(100)] == [token] * 100
    assert counts["programs"] == 0
    loop.start()
    try:
        assert eventually(lambda: published)
        for _ in range(20):
            loop.wake()
    finally:
        loop.stop()
    assert len(published) == 1


def test_one_moved_alias_among_many_units_is_all_that_is_read_and_touched(settled: Settling) -> None:
    move_alias(settled.repository, MOVED, version_name(MOVED, 0))
    settled.store.forget()
    before = settled.publication
    old = before.snapshot.versions
    settled.read()
    new = settled.publication.snapshot.versions
    assert all(new[name] is old[name] for name in old)
    moved = UnitKey("bench", "mark", MOVED)
    first, *others = changed_first(settled.units, before, settled.publication)
    assert (first, others) == (moved, sorted(set(settled.units) - {moved}))
    settled.settle()
    touched = [*settled.store.written, *settled.store.deleted]
    assert {label(obj, labels.UNIT) for obj in touched} == {moved.hash}
    routes = [obj for obj in settled.store.written if obj["kind"] == "HTTPRoute"]
    assert [annotation(route, labels.ALIAS) for route in routes] == ["production"]
