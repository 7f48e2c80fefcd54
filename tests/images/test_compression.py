"""A compressed layer: the same bytes for the same content, and no file is compressed twice."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.images import compression
from controller.images.archive import SMALL, tar_blocks, tar_pieces
from controller.images.compression import NOT_GZIP, Gzip, uncompressed
from controller.images.layers import Contents, Member, in_blocks
from controller.images.remembered import COST

pytestmark = pytest.mark.pure

FILES = st.dictionaries(
    st.sampled_from(["a", "b/a", "b/b", "c", "d" * 150]), st.tuples(st.binary(max_size=2000), st.booleans(), st.booleans())
)


def member(path: str, data: bytes, *, named: bool = True, executable: bool = False) -> Member:
    content = hashlib.sha1(data, usedforsecurity=False).hexdigest() if named else ""
    return Member(f"valohai/code/{path}", len(data), in_blocks(data), executable, content)


def written(packer: Gzip, *members: Member) -> tuple[bytes, str]:
    out = BytesIO()
    digest = packer.write(tar_pieces(Contents("/valohai/code", members)), out)
    return out.getvalue(), digest


def archive_of(*members: Member) -> bytes:
    return b"".join(tar_blocks(Contents("/valohai/code", members)))


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The plain bytes of each member that was compressed since the test began."""
    seen: list[int] = []

    class Watched(gzip.GzipFile):
        def close(self) -> None:
            if self.fileobj is not None:
                seen.append(self.size)
            super().close()

    monkeypatch.setattr(compression.gzip, "GzipFile", Watched)
    return seen


@given(FILES)
def test_members_are_one_archive_whoever_reads_them(files: dict[str, tuple[bytes, bool, bool]]) -> None:
    members = [member(path, data, named=named, executable=mode) for path, (data, named, mode) in files.items()]
    data, digest = written(Gzip(), *members)
    plain = archive_of(*members)
    assert gzip.decompress(data) == plain
    assert digest == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    with uncompressed(BytesIO(data)) as stream:
        assert stream.read() == plain


@given(FILES, FILES)
def test_what_was_packed_before_changes_no_byte(
    before: dict[str, tuple[bytes, bool, bool]], files: dict[str, tuple[bytes, bool, bool]]
) -> None:
    used = Gzip()
    written(used, *(member(p, d, named=n, executable=x) for p, (d, n, x) in before.items()))
    members = [member(path, data, named=named, executable=mode) for path, (data, named, mode) in files.items()]
    assert written(used, *members) == written(Gzip(), *members)


def test_only_the_file_that_changed_is_compressed_again(compressed: list[int]) -> None:
    packer = Gzip()
    written(packer, *(member(f"{number}", b"%d" % number) for number in range(50)))
    first = len(compressed)
    written(packer, *(member(f"{number}", b"new" if number == 7 else b"%d" % number) for number in range(50)))
    assert (first, len(compressed) - first) == (52, 3), "each file, and the two ends"


def test_more_files_than_there_is_room_for_are_remembered_in_part(compressed: list[int]) -> None:
    members = [member(f"{number}", b"%d" % number) for number in range(60)]
    small = Gzip(30 * (COST + 200))
    first = written(small, *members)
    before = len(compressed)
    assert written(small, *members) == first == written(Gzip(), *members)
    again = len(compressed) - before - 62
    assert 0 < again - 2 < 60, "some of the files, and the two ends"


def test_several_threads_share_what_is_remembered() -> None:
    members = [member(f"{number}", b"%d" % number) for number in range(60)]
    shared, expected = Gzip(30 * (COST + 200)), written(Gzip(), *members)
    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(written, shared, *members) for _ in range(40)]
    assert {done.result() for done in made} == {expected}


def test_same_content_in_another_place_or_mode_is_another_member() -> None:
    packer = Gzip()
    both = [member("a", b"same"), member("b", b"same", executable=True)]
    data, _ = written(packer, *both)
    with tarfile.open(fileobj=BytesIO(gzip.decompress(data))) as archive:
        assert [(m.name, oct(m.mode)) for m in archive.getmembers()[1:]] == [
            ("valohai/code/a", "0o644"),
            ("valohai/code/b", "0o755"),
        ]


def test_large_and_nameless_files_are_not_kept(compressed: list[int]) -> None:
    packer = Gzip()
    for _ in range(2):
        written(packer, member("large", b"x" * (SMALL + 1)), member("nameless", b"y", named=False))
    assert len(compressed) == 2, "one member with everything, each time"


def test_file_that_ends_early_is_not_kept() -> None:
    packer, sizes = Gzip(), iter([b"only", b"whole"])
    broken = Member("valohai/code/f", 5, lambda: iter([next(sizes)]), content="f")
    with pytest.raises(Exception, match="changed while it was read"):
        written(packer, broken)
    assert gzip.decompress(written(packer, broken)[0]) == archive_of(member("f", b"whole"))


def test_members_name_no_time_and_no_file() -> None:
    data, _ = written(Gzip(), member("a", b"content"))
    for start in members_in(data):
        assert data[start + 3 : start + 8] == b"\0\0\0\0\0"


def members_in(data: bytes) -> Iterator[int]:
    start = 0
    while start < len(data):
        yield start
        unpacker = zlib.decompressobj(wbits=31)
        unpacker.decompress(data[start:])
        start = len(data) - len(unpacker.unused_data)


@pytest.mark.parametrize(
    "spoil", [lambda d: d[:-5], lambda d: d[:-1] + bytes([d[-1] ^ 1]), lambda d: b"x" + d, lambda d: d + b"x"]
)
def test_what_is_no_gzip_is_told(spoil: Callable[[bytes], bytes]) -> None:
    data, _ = written(Gzip(), member("a", b"content"))
    with pytest.raises(NOT_GZIP), uncompressed(BytesIO(spoil(data))) as stream:
        stream.read()
