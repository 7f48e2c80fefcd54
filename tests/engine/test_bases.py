"""A unit keeps the base image that it saw first: over a tag that moved or vanished, and for an image that is lost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from bench.declared_repository import Shape
from controller.model.changes import Plan
from controller.model.identity import ObjectKey
from controller.state.records import Records
from tests.engine.registry_target import BASE, PROJECT, UNIT, building, new_process, references, release
from tests.engine.settling import Settling, settling
from tests.images.base_images import DEBIAN, MANIFEST, push_base
from tests.images.registry_server import Registry, running_registry

pytestmark = pytest.mark.contract

OTHER_TREE = {**DEBIAN, "etc/newer": b"1"}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def served(registry: Registry, tmp_path: Path) -> Iterator[tuple[Settling, str]]:
    """A unit whose version was built on a base, and that base's digest."""
    digest = push_base(registry.url)
    with building(registry, tmp_path / "cache") as changed, settling(tmp_path / "unit", Shape(1, 1), changed) as made:
        made.settle()
        yield made, digest


def passed_until(made: Settling, reached: Callable[[Plan], bool]) -> Plan:
    deadline = time.monotonic() + 60.0
    while not reached(plan := made.run(UNIT).plan):
        assert time.monotonic() < deadline, plan
        time.sleep(0.01)
    return plan


def base_of(registry: Registry, reference: str) -> str:
    """The base that an image says it was built on."""
    digest = reference.partition("@")[2]
    answer = httpx2.get(f"{registry.url}/v2/{PROJECT}/manifests/{digest}", headers={"accept": MANIFEST})
    return str(answer.json()["annotations"]["org.opencontainers.image.base.digest"])


def lose(registry: Registry, repository: str, what: str) -> None:
    """As a clean-up of the registry's own would."""
    shutil.rmtree(registry.storage / "docker/registry/v2/repositories" / repository / "_manifests" / what)


def test_the_first_digest_is_remembered(served: tuple[Settling, str]) -> None:
    made, digest = served
    assert Records(made.store).read(UNIT).bases == {BASE: digest}


def test_a_tag_that_moved_changes_nothing_for_the_next_version(served: tuple[Settling, str], registry: Registry) -> None:
    made, digest = served
    assert push_base(registry.url, trees=[OTHER_TREE]) != digest
    release(made, "second")
    made.settle()
    found = set(references(made).values())
    assert len(found) == 2
    assert {base_of(registry, reference) for reference in found} == {digest}
    assert Records(made.store).read(UNIT).bases == {BASE: digest}


def test_a_tag_that_vanished_is_not_needed(served: tuple[Settling, str], registry: Registry) -> None:
    made, digest = served
    lose(registry, "library/python", "tags")
    release(made, "second")
    made.settle()
    assert {base_of(registry, reference) for reference in references(made).values()} == {digest}


def test_a_lost_image_is_built_again_on_its_base(served: tuple[Settling, str], registry: Registry, tmp_path: Path) -> None:
    made, digest = served
    before = references(made)
    push_base(registry.url, trees=[OTHER_TREE])
    lose(registry, PROJECT, "tags")
    with new_process(made, registry, tmp_path / "new") as again:
        again.settle()
    assert references(made) == before
    assert [base_of(registry, reference) for reference in before.values()] == [digest]
    assert registry.tags(PROJECT)


def test_a_lost_image_whose_base_is_lost_too_is_told_and_keeps_what_serves(
    served: tuple[Settling, str], registry: Registry, tmp_path: Path
) -> None:
    made, digest = served
    before = references(made)
    push_base(registry.url, trees=[OTHER_TREE])
    lose(registry, PROJECT, "tags")
    revisions = f"revisions/sha256/{digest.removeprefix('sha256:')}"
    lose(registry, "library/python", revisions)
    with new_process(made, registry, tmp_path / "new") as again:
        plan = passed_until(again, lambda plan: bool(plan.failures))
        assert not passed_until(again, lambda plan: plan.is_empty).is_settled
    assert digest in plan.failures[0].message
    assert references(made) == before
    assert made.store.get(ObjectKey("ConfigMap", UNIT.namespace, UNIT.record_name))
