"""What is remembered of unneeded images, on a target: lost, damaged, too large, or written by two at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.embedded.store import EmbeddedStore
from controller.model.clean_up import Seen
from controller.model.errors import Conflict, Stalled
from controller.state.unneeded import MOST, UnneededImages

pytestmark = pytest.mark.contract

MEMORY = {"acme/shop": {f"v-{'a' * 40}": Seen(5.0, "1/greet"), f"v-{'b' * 40}": Seen(7.5)}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "store") as made:
        yield made


def memory_in(store: EmbeddedStore, registry: str = "registry.example.com/p") -> UnneededImages:
    return UnneededImages(store, "pointsman-system", "default", registry)


def test_what_is_written_is_read_by_the_next_process(store: EmbeddedStore) -> None:
    memory = memory_in(store)
    assert memory.read() == {}
    memory.write(MEMORY)
    assert memory_in(store).read() == MEMORY
    memory.write({})
    assert memory_in(store).read() == {}


def test_each_registry_and_installation_has_its_own(store: EmbeddedStore) -> None:
    memory = memory_in(store)
    memory.read()
    memory.write(MEMORY)
    assert memory_in(store, "registry.example.com/q").read() == {}
    assert UnneededImages(store, "pointsman-system", "other", "registry.example.com/p").read() == {}


def test_of_two_that_write_at_once_one_begins_anew(store: EmbeddedStore) -> None:
    first, second = memory_in(store), memory_in(store)
    assert first.read() == second.read() == {}
    first.write(MEMORY)
    with pytest.raises(Conflict):
        second.write({})
    assert memory_in(store).read() == MEMORY


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2, "projects": {}}', '{"format": 1, "projects": {"a": {"t": 1}}}']
)
def test_a_damaged_one_is_told_and_not_taken_for_an_empty_one(store: EmbeddedStore, text: str) -> None:
    key = memory_in(store).key
    metadata = {"name": key.name, "namespace": key.namespace}
    store.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"unneeded.json": text}})
    with pytest.raises(Stalled, match=f"ConfigMap.*{key.name}, which says since when images are unneeded") as caught:
        memory_in(store).read()
    assert caught.value.hint == "delete it: then every image waits for its whole time again"


def test_what_does_not_fit_is_the_newest(store: EmbeddedStore) -> None:
    tags = {f"v-{number:040x}": Seen(1_800_000_000.0 - number, "20181002.0/predict-digit") for number in range(15_000)}
    memory = memory_in(store)
    memory.read()
    memory.write({"acme/shop": tags})
    kept = memory_in(store).read()["acme/shop"]
    assert 5_000 < len(kept) < len(tags)
    assert min(tags[name].since for name in kept) == min(seen.since for seen in tags.values())
    assert max(tags[name].since for name in kept) < max(seen.since for seen in tags.values())
    assert len(str(store.get(memory.key))) < MOST * 1.2
