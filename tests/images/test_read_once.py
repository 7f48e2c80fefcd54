"""Small files of the code are read from git once, for the next commits too."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_examples import MemoryCode, blob_of, silent
from registry_images import builder_for, spec_for, tree_at
from registry_server import Registry

from controller.images.archive import SMALL
from controller.images.read_once import ReadOnce
from controller.images.remembered import COST, Remembered

SMALL_ONE, LARGE_ONE = b"x" * SMALL, b"y" * (SMALL + 1)


@pytest.mark.pure
def test_small_file_is_asked_for_once() -> None:
    code, small = MemoryCode({"small": SMALL_ONE, "large": LARGE_ONE}), Remembered()
    for _ in range(2):
        for data in (SMALL_ONE, LARGE_ONE):
            assert b"".join(ReadOnce(code, small).read(blob_of(data))) == data
    assert code.reads == [blob_of(SMALL_ONE), blob_of(LARGE_ONE), blob_of(LARGE_ONE)]


@pytest.mark.pure
def test_file_whose_reading_ended_early_is_not_kept() -> None:
    code, small = MemoryCode({"small": SMALL_ONE}), Remembered()
    next(ReadOnce(code, small).read(blob_of(SMALL_ONE)))
    assert small.get(blob_of(SMALL_ONE)) is None
    assert b"".join(ReadOnce(code, small).read(blob_of(SMALL_ONE))) == SMALL_ONE


@pytest.mark.pure
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 6))))
def test_what_is_kept_is_whole_and_has_a_limit(steps: list[tuple[str, int]]) -> None:
    room = 3 * COST + 10
    small, sizes = Remembered(limit=room), dict[str, int]()
    for name, size in steps:
        small.keep(name, bytes(sizes.setdefault(name, size)))
        kept = {each: small.get(each) for each in sizes}
        assert sum(len(data) + COST for data in kept.values() if data is not None) <= room
        assert all(data is None or len(data) == sizes[each] for each, data in kept.items())
        assert kept[name] is not None


@pytest.mark.contract
def test_code_change_reads_the_changed_file_alone(registry: Registry, tmp_path: Path) -> None:
    files = {f"package/{number}.py": b"VALUE = %d\n" % number for number in range(20)}
    before, after = MemoryCode(files), MemoryCode({**files, "package/7.py": b"VALUE = 'other'\n"})
    with builder_for(registry, tmp_path / "cache") as builder:
        builder.build(spec_for(registry, before), before, silent)
        image = builder.build(spec_for(registry, after), after, silent)
    assert after.reads == [blob_of(b"VALUE = 'other'\n")]
    tree = tree_at(registry, image)
    assert {path: tree[f"valohai/code/{path}"][3] for path in files} == after.files
