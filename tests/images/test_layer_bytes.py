"""A layer's bytes follow from its content alone."""

from __future__ import annotations

import tarfile
from itertools import islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from image_examples import members_of

from controller.images.archive import MODIFIED, joined, tar_blocks
from controller.images.layers import Contents, Member, in_blocks
from controller.model.errors import Stalled

pytestmark = pytest.mark.pure


def member(path: str, data: bytes = b"x", *, executable: bool = False) -> Member:
    return Member(f"valohai/code/{path}", len(data), in_blocks(data), executable)


def tar_of(*members: Member) -> bytes:
    return b"".join(tar_blocks(Contents("/valohai/code", members)))


def test_order_of_the_files_does_not_matter() -> None:
    assert tar_of(member("a"), member("b")) == tar_of(member("b"), member("a"))


def test_every_entry_has_the_same_owner_and_time() -> None:
    for entry in members_of(tar_of(member("a"), member("deep/er/b", executable=True))):
        assert (entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime) == (0, 0, "", "", MODIFIED)


def test_modes_are_two_and_never_setuid() -> None:
    entries = members_of(tar_of(member("plain"), member("script", executable=True)))
    assert [(e.name, oct(e.mode)) for e in entries] == [
        ("valohai/code", "0o755"),
        ("valohai/code/plain", "0o644"),
        ("valohai/code/script", "0o755"),
    ]


def test_only_our_own_directory_has_an_entry() -> None:
    entries = members_of(tar_of(member("lib/a"), member("tmp/b")))
    assert [e.name for e in entries if e.isdir()] == ["valohai/code"]


@pytest.mark.parametrize("name", ["n" * 250, "/".join(["deep" * 20] * 20), "mökki/日本語.txt", "emoji-🚂", "a\nb", "=", "-rf"])
def test_long_and_foreign_names_survive(name: str) -> None:
    assert members_of(tar_of(member(name)))[1].name == f"valohai/code/{name}"


def test_more_than_8_gib_fit_into_the_header() -> None:
    huge = Member("valohai/code/model", 9 << 30, lambda: iter([b"only a beginning"]))
    with pytest.raises(Stalled, match="changed while it was read"):
        list(tar_blocks(Contents("/valohai/code", [huge])))
    header = next(islice(tar_blocks(Contents("/valohai/code", [huge])), 1, None))
    assert b"size=9663676416\n" in header


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=120),
    st.integers(0, 9 << 30),
    st.booleans(),
    st.sampled_from([0, 1000, 3_000_000]),
)
@example("n" * 86, (8 << 30) - 1, True, 0)
@example("n" * 87, 8 << 30, False, 3_000_000)
def test_headers_are_those_of_tarfile(name: str, size: int, executable: bool, owner: int) -> None:
    info = tarfile.TarInfo(f"valohai/code/{name}")
    info.size, info.mtime, info.mode = size, MODIFIED, 0o755 if executable else 0o644
    info.uid = info.gid = owner
    file = Member(info.name, size, lambda: iter(()), executable)
    blocks = tar_blocks(Contents("/valohai/code", [file], owner=(owner, owner)))
    headers = list(islice(blocks, 2 + (owner != 0) * name.count("/")))
    assert headers[-1] == info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


@given(st.lists(st.integers(0, 150_000), max_size=8))
def test_joined_blocks_are_the_same_bytes_in_fewer_calls(sizes: list[int]) -> None:
    blocks = [bytes([n]) * size for n, size in enumerate(sizes)]
    found = list(joined(blocks))
    assert b"".join(found) == b"".join(blocks)
    assert len(found) <= 1 + sum(sizes) // (64 << 10)


@pytest.mark.parametrize("data", [b"", b"x" * 511, b"x" * 512, b"x" * 513, b"x" * 10240, b"x" * (3 << 20)])
def test_files_of_any_size_are_read_back(data: bytes) -> None:
    archive = tar_of(member("f", data))
    assert len(archive) % 10240 == 0
    assert members_of(archive)[1].size == len(data)


def test_file_that_grows_while_it_is_read_is_refused() -> None:
    growing = Member("valohai/code/log", 3, lambda: iter([b"four"]))
    with pytest.raises(Stalled, match="log changed while it was read"):
        tar_of(growing)
