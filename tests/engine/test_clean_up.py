"""Images that nothing needs are deleted from a real registry, and nothing else ever is."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from controller.model.errors import Unavailable, Waiting
from controller.model.identity import UnitKey
from controller.model.ports import ImageShelf
from controller.model.record import UnitRecord
from controller.state.history import FileHistory
from controller.state.records import Records
from tests.engine.cleaning import ALIAS, DEPLOYMENT, KEEP, PROJECT, REPOSITORY, World, cleaned, soon, version_file
from tests.images.base_images import DEBIAN, push_base
from tests.images.faulty_proxy import Fault, running_proxy
from tests.images.registry_server import PROGRAM, Registry, running_registry

pytestmark = pytest.mark.system


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, registry: Registry) -> Iterator[World]:
    with cleaned(tmp_path, registry) as made:
        yield made


def test_an_image_goes_only_after_its_whole_time_and_alone(world: World, tmp_path: Path) -> None:
    (first,) = world.tags()
    second = world.release("v2")
    clean_up, now = world.clean_up(), time.time()
    assert clean_up.round(now + 2 * KEEP) == (), "everything is declared"
    world.remove("v1")
    assert clean_up.round(now) == ()
    assert clean_up.round(now + KEEP - 1) == ()
    assert world.tags() == sorted((first, second))
    assert world.memory.read()[PROJECT][first].name == "v1/predict"
    assert clean_up.round(now + KEEP + 60) == ()
    assert world.tags() == [second]
    assert world.memory.read()[PROJECT].keys() == {first}, "forgotten by the next round, which does not find it"
    assert clean_up.round(now + KEEP + 90) == ()
    assert world.memory.read() == {}
    assert world.registry.tags("library/python") == ["3.11"]
    told = list(FileHistory(tmp_path / "targets" / "history").read(str(world.declared.unit)))
    (event,) = [event for event in told if event["event"] == "image-deleted"]
    assert event["subject"] == first
    assert f"deleted from {world.registry.address}/{REPOSITORY}: {first} (v1/predict) sha256:" in str(event["message"])


def test_a_rollback_inside_the_window_builds_nothing_and_one_beyond_it_builds_on_the_same_base(world: World) -> None:
    (first,) = world.tags()
    base = world.base_of(first)
    world.release("v2")
    push_base(world.registry.url, trees=[{**DEBIAN, "etc/newer": b"1"}])
    world.remove("v1")
    world.clean_up().round(time.time())
    world.back_to("v1")
    assert world.builder.built == ["v1/predict", "v2/predict"]
    assert world.clean_up().round(time.time()) == ()
    assert world.memory.read() == {}, "needed again: its time begins anew"
    world.declared.commit({ALIAS: 'version: "v2"\n'})
    assert soon(lambda: world.serves("v2"))
    world.remove("v1")
    assert world.rounds() == ()
    assert first not in world.tags()
    world.back_to("v1")
    assert world.builder.built == ["v1/predict", "v2/predict", "v1/predict"]
    assert first in world.tags()
    assert world.base_of(first) == base


def test_what_a_workload_a_record_or_another_tag_names_stays(world: World) -> None:
    (first,) = world.tags()
    second, third = world.release("v2"), world.release("v3")
    world.tag_as(first, "stable")
    west, elsewhere = world.targets.stores["west"], UnitKey("acme", "gone", "long-ago")
    digest = world.digest(second)
    record = Records(west).write(UnitRecord(elsewhere, bases={"x": digest}))
    world.remove("v1", "v2")
    world.declared.commit({DEPLOYMENT: "target: east\nendpoints: {}\n"})
    fourth = world.release("v4")
    world.declared.commit({version_file("v3"): None})
    assert soon(lambda: not world.declares("v3"))
    assert soon(lambda: digest in world.named())
    assert world.rounds() == ()
    assert "v3" in world.running(), "kept warm, though it left git"
    assert world.tags() == sorted((first, "stable", second, third, fourth))
    Records(west).delete(record)
    assert soon(lambda: digest not in world.named())
    assert world.rounds() == ()
    assert world.tags() == sorted((first, "stable", third, fourth))


def test_in_doubt_nothing_goes(world: World) -> None:
    world.release("v2")
    world.remove("v1")
    before = world.tags()
    assert world.clean_up().round(time.time()) == ()

    def unread(project: str) -> None:
        raise Unavailable("source shop, which may declare it, cannot be read: the host is down")

    world.require_fresh = unread
    assert world.clean_up().round(time.time() + 2 * KEEP) == (
        f"{PROJECT}: source shop, which may declare it, cannot be read: the host is down",
    )
    world.require_fresh = lambda project: None
    world.declared.commit({version_file("bad"): "nonsense: true\n"})
    assert soon(lambda: world.declares("bad"))
    (trouble,) = world.clean_up().round(time.time() + 2 * KEEP)
    assert trouble.startswith(f"{PROJECT}: version `bad` has a mistake, so nobody can tell which images it has")
    assert world.tags() == before
    world.declared.commit({version_file("bad"): None})
    assert soon(lambda: not world.declares("bad"))
    assert world.clean_up().round(time.time() + 2 * KEEP) == ()
    assert len(world.tags()) == 1, "the memory outlived the doubts"


def test_a_target_that_is_not_known_whole_or_led_elsewhere_stops_everything(world: World) -> None:
    world.release("v2")
    world.remove("v1")
    world.clean_up().round(time.time())
    before = world.tags()
    later = time.time() + 2 * KEEP
    west = world.targets.stores["west"]
    west.lost.set()
    assert soon(world.controller.target_errors)
    with pytest.raises(Unavailable, match="target west: the cluster does not answer"):
        world.clean_up().round(later)
    for names, words in ((["east", "west"], "its objects are not all known yet"), (["east"], "it is not connected yet")):
        with world.targets.controlled([], names) as restarted, pytest.raises(Unavailable, match=f"target west: {words}"):
            replace(world, controller=restarted).clean_up().round(later)
    west.lost.clear()
    assert soon(lambda: not world.controller.target_errors())
    world.leading.remove("east")
    with pytest.raises(Waiting, match="another process leads target east"):
        world.clean_up().round(later)
    assert world.tags() == before
    world.leading.symmetric_difference_update({"east", "west"})
    assert world.clean_up().round(later) == ()
    assert len(world.tags()) == 1


def test_what_is_declared_again_between_two_deletions_stays(world: World) -> None:
    (first,) = world.tags()
    second = world.release("v2")
    third = world.release("v3")
    world.remove("v1")
    world.clean_up().round(time.time() - 5.0)
    world.remove("v2")
    world.clean_up().round(time.time())
    plain = world.shelf

    class Interrupting(Passing):
        def delete(self, digest: str) -> None:
            super().delete(digest)
            world.back_to("v2")

    world.shelf = lambda project: Interrupting(plain(project))
    assert world.clean_up().round(time.time() + 2 * KEEP) == ()
    assert first not in world.tags()
    assert world.tags() == sorted((second, third))
    assert world.builder.built.count("v2/predict") == 1


def test_a_registry_that_fails_is_told_and_the_next_round_goes_on(tmp_path: Path, registry: Registry) -> None:
    with running_proxy(registry.address) as proxy, cleaned(tmp_path, registry, proxy.url) as world:
        last = world.release("v2")
        world.remove("v1")
        world.clean_up().round(time.time())
        for method, part, status in (("GET", "/tags/list", 503), ("HEAD", "/manifests/", 429), ("DELETE", "/manifests/", 500)):
            proxy.choose = fails(method, part, status)
            (trouble,) = world.clean_up().round(time.time() + 2 * KEEP)
            assert f"answers {status}, asked to" in trouble
            assert PROJECT in trouble
            assert len(world.tags()) == 2
        proxy.choose = lambda *_: None
        assert world.clean_up().round(time.time() + 2 * KEEP) == ()
        assert world.tags() == [last]


def test_an_image_that_cannot_be_deleted_holds_up_no_other(world: World) -> None:
    (stuck,) = world.tags()
    second = world.release("v2")
    world.release("v3")
    world.remove("v1")
    world.clean_up().round(time.time() - 5.0)
    world.remove("v2")
    world.clean_up().round(time.time())
    plain, digest = world.shelf, world.digest(stuck)

    class Refusing(Passing):
        def delete(self, asked: str) -> None:
            if asked == digest:
                raise Unavailable("it is damaged there")
            super().delete(asked)

    world.shelf = lambda project: Refusing(plain(project))
    cleaning, later = world.clean_up(), time.time() + 2 * KEEP
    for left in ({stuck, second}, {stuck}):
        (trouble,) = cleaning.round(later)
        assert "it is damaged there" in trouble
        assert left == {stuck, second} & set(world.tags())


def test_after_the_registrys_own_collection_an_image_is_built_again_whole(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.engine.builds.RETRY", 0.5)
    (first,) = world.tags()
    code = world.layers(first)[-1]
    world.release("v2")
    world.remove("v1")
    assert world.rounds() == ()
    assert world.registry.blob(code).exists(), "deleting an image frees nothing by itself"
    collect = [str(PROGRAM), "garbage-collect", str(tmp_path / "registry" / "registry.yml")]
    subprocess.run(collect, check=True, capture_output=True)
    assert not world.registry.blob(code).exists()
    world.declared.commit({version_file("v1"): "{}\n", ALIAS: 'version: "v1"\n'})
    failures = soon(world.controller.build_failures)
    assert [failure.hint for failure in failures if failure.hint and "restart the registry" in failure.hint]
    world.registry.process.kill()
    world.registry.process.wait()
    with running_registry(tmp_path / "registry", address=world.registry.address):
        assert soon(lambda: world.serves("v1"))
        assert world.layers(first)[-1] == code
        for layer in world.layers(first):
            assert httpx2.get(f"{world.registry.url}/v2/{REPOSITORY}/blobs/{layer}").status_code == 200


def test_a_registry_that_lets_nobody_delete_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_STORAGE_DELETE_ENABLED", "false")
    with running_registry(tmp_path / "registry") as registry, cleaned(tmp_path, registry) as world:
        world.release("v2")
        world.release("v3")
        world.remove("v1", "v2")
        (trouble,) = world.rounds()
        assert "does not let anybody delete images (405)" in trouble
        assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in trouble
        assert len(world.tags()) == 3


def test_one_round_deletes_no_more_than_its_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.clean_up.MOST", 1)
    world.release("v2")
    last = world.release("v3")
    world.remove("v1", "v2")
    assert world.rounds() == ()
    assert len(world.tags()) == 2
    assert world.clean_up().round(time.time() + 2 * KEEP) == ()
    assert world.tags() == [last]


def fails(method: str, part: str, status: int) -> Callable[[str, str, int], Fault | None]:
    return lambda asked, path, before: Fault(status) if asked == method and part in path and PROJECT in path else None


class Passing:
    """A shelf over another one."""

    def __init__(self, plain: ImageShelf) -> None:
        self._plain = plain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def delete(self, digest: str) -> None:
        self._plain.delete(digest)
