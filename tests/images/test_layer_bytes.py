"""A layer's bytes follow from its content alone."""

from __future__ import annotations

import gzip
from io import BytesIO

import pytest
from image_examples import members_of

from controller.images.layers import MODIFIED, Contents, Member, compressed, in_blocks, write_tar
from controller.model.errors import Stalled

pytestmark = pytest.mark.pure


def member(path: str, data: bytes = b"x", *, executable: bool = False) -> Member:
    return Member(f"valohai/code/{path}", len(data), in_blocks(data), executable)


def tar_of(*members: Member) -> bytes:
    out = BytesIO()
    write_tar(Contents("/valohai/code", members), out)
    return out.getvalue()


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
    out = BytesIO()
    huge = Member("valohai/code/model", 9 << 30, lambda: iter([b"only a beginning"]))
    with pytest.raises(Stalled, match="changed while it was read"):
        write_tar(Contents("/valohai/code", [huge]), out)
    header = out.getvalue()[: -len(b"only a beginning")]
    assert b"size=9663676416\n" in header


@pytest.mark.parametrize("data", [b"", b"x" * 511, b"x" * 512, b"x" * 513, b"x" * 10240, b"x" * (3 << 20)])
def test_files_of_any_size_are_read_back(data: bytes) -> None:
    archive = tar_of(member("f", data))
    assert len(archive) % 10240 == 0
    assert members_of(archive)[1].size == len(data)


def test_file_that_grows_while_it_is_read_is_refused() -> None:
    growing = Member("valohai/code/log", 3, lambda: iter([b"four"]))
    with pytest.raises(Stalled, match="log changed while it was read"):
        tar_of(growing)


def test_compressed_layer_names_no_time_and_no_file() -> None:
    out = BytesIO()
    with compressed(out) as stream:
        stream.write(b"content")
    assert out.getvalue()[3:8] == b"\0\0\0\0\0"
    assert gzip.decompress(out.getvalue()) == b"content"
