"""Nothing that a repository names is written outside our two directories, or damages a base image."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_examples import members_of

from controller.images.archive import tar_blocks
from controller.images.layers import Contents, Member, in_blocks
from controller.images.paths import layer_path, normalised, require_disjoint
from controller.model.errors import Stalled
from controller.model.images import CODE_DIRECTORY

pytestmark = pytest.mark.pure

PARTS = st.one_of(
    st.sampled_from(["..", ".", "", ".wh.passwd", ".wh..wh..opq", "etc", "lib", "\0", "\udcff", "x" * 300]),
    st.text(max_size=8),
)


@pytest.mark.parametrize(
    "path",
    [
        ".wh.passwd",
        "etc/.wh..wh..opq",
        "../etc/evil",
        "a/../../etc/evil",
        "/etc/passwd",
        "a//b",
        "a/./b",
        "a/",
        "",
        ".",
        "..",
        "a\0b",
        "name-\udcff",
        "x" * 256,
        "ä" * 128,
        "long/" * 1000 + "x",
    ],
)
def test_harmful_path_is_refused(path: str) -> None:
    with pytest.raises(Stalled) as caught:
        layer_path(CODE_DIRECTORY, path)
    assert caught.value.hint


@pytest.mark.parametrize("path", ["a", "a/b", ".hidden", "..a", "a..", ".what", "-rf", "ä" * 127, "wh.x"])
def test_odd_but_harmless_path_is_kept(path: str) -> None:
    assert layer_path(CODE_DIRECTORY, path) == f"valohai/code/{path}"


@given(st.lists(st.lists(PARTS, min_size=1, max_size=5).map("/".join), max_size=5))
def test_whatever_the_names_every_entry_lies_in_our_directory(paths: list[str]) -> None:
    try:
        members = [Member(layer_path(CODE_DIRECTORY, path), 1, in_blocks(b"x")) for path in paths]
        archive = b"".join(tar_blocks(Contents(CODE_DIRECTORY, members)))
    except Stalled:
        return
    names = [entry.name for entry in members_of(archive)]
    assert names[0] == "valohai/code"
    assert sorted(names[1:]) == sorted(f"valohai/code/{path}" for path in paths)
    assert not any(part in (".", "..", "") or part.startswith(".wh.") for name in names for part in name.split("/"))


def test_declared_path_may_begin_with_a_dot_slash() -> None:
    assert normalised("./models/./net") == "models/net"
    assert normalised("../x") == "../x"


def test_two_files_of_one_path_are_refused() -> None:
    with pytest.raises(Stalled, match="have one path: /a/b"):
        require_disjoint(["a/b", "a/c", "a/b"])


def test_file_below_another_file_is_refused() -> None:
    with pytest.raises(Stalled, match="/a would be a file and the directory of /a/b/c"):
        require_disjoint(["a/b/c", "a"])
