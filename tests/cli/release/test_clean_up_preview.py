"""The dry run of a clean-up: what `plan --config` says of the images of a registry, and that it only reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.cli.clean_up_preview import CleanUpPreview
from controller.cli.running.cluster_target import ClusterTargets
from controller.engine.sources import Publication
from controller.model.clean_up import Outlook, Seen
from controller.model.configuration import Configuration, TargetSettings
from controller.model.ports import ClusterClient
from controller.plan.clean_up_report import to_text
from tests.configuration.test_registry_cleaning import configured
from tests.engine.cleaning import PROJECT, World, cleaned
from tests.engine.settling import published
from tests.images.registry_server import running_registry

pytestmark = pytest.mark.system

KEEP = 30 * 86400.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two versions were served; the image of the first is needed no more."""
    with running_registry(tmp_path / "registry") as registry, cleaned(tmp_path, registry) as made:
        made.release("v2")
        made.remove("v1")
        yield made


@contextmanager
def looking(world: World, configuration: Configuration) -> Iterator[Callable[[float], Outlook | None]]:
    """Looks from the repository's directory at a time of one's choice."""
    targets = ClusterTargets(configuration)
    profile = world.targets.targets["east"].profile

    @contextmanager
    def opened(settings: TargetSettings) -> Iterator[ClusterClient]:
        yield world.targets.stores[settings.name]

    preview = CleanUpPreview(configuration, targets, configuration.targets["east"], profile, opened)
    with world.declared.source("reader") as source:
        publication: Publication = published(source)
        yield lambda now: preview.outlook(publication, now)
    targets.close()


def test_what_would_go_is_listed_with_its_name_its_size_and_since_when(world: World, tmp_path: Path) -> None:
    (gone,) = set(world.tags()) - {tag for tag in world.tags() if world.digest(tag) in world.named()}
    before, now = world.tags(), time.time()
    configuration = configured(tmp_path, world.registry, "30d")
    with looking(world, configuration) as look:
        found = look(now)
        assert found
        (waiting,) = found.judgement.waits
        assert (waiting.tags, waiting.name, waiting.why) == ((gone,), "v1/predict", "a commit of the last 30d declared it")
        assert waiting.size
        assert found.judgement.kept == 1
        memory = ClusterTargets(configuration).memory(configuration.targets["east"], world.targets.stores["east"])
        memory.read()
        memory.write({PROJECT: {gone: Seen(now, "v1/predict")}})
        late = look(now + KEEP + 60)
    assert late
    text = to_text(late)
    assert text.startswith(f"clean-up of {world.registry.address}/pointsman/{PROJECT}: 1 to delete, 0 unneeded wait")
    assert f"- image {gone} v1/predict 0.0 MiB  no commit of the last 30d, record or workload names it; unneeded since" in text
    assert world.tags() == before
    assert memory.read() == {PROJECT: {gone: Seen(now, "v1/predict")}}


def test_a_target_that_cannot_be_read_is_named_and_nothing_would_go(world: World, tmp_path: Path) -> None:
    world.targets.stores["west"].lost.set()
    with looking(world, configured(tmp_path, world.registry, "30d")) as look:
        found = look(time.time() + 2 * KEEP)
    assert found
    assert (found.blocked, found.judgement.goes) == ("target west: the cluster does not answer", ())


def test_a_damaged_memory_is_told_and_everything_waits(world: World, tmp_path: Path) -> None:
    configuration = configured(tmp_path, world.registry, "30d")
    store = world.targets.stores["east"]
    key = ClusterTargets(configuration).memory(configuration.targets["east"], store).key
    metadata = {"name": key.name, "namespace": key.namespace}
    store.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"unneeded.json": "?"}})
    with looking(world, configuration) as look:
        found = look(time.time() + 2 * KEEP)
    assert found
    assert not found.judgement.goes
    assert "since when images are unneeded is not known here" in found.remarks[0]


def test_without_the_setting_nothing_is_said(world: World, tmp_path: Path) -> None:
    with looking(world, configured(tmp_path, world.registry)) as look:
        assert look(time.time() + 2 * KEEP) is None
