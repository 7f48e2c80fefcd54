"""Many of git's objects at once, through pipes that hold little."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.model.errors import Stalled
from controller.source.objects import ASKED, ObjectReader
from controller.source.repository import Repository

pytestmark = pytest.mark.contract

MISSING = "0123456789" * 4


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "code")], check=True)
    return tmp_path / "code"


@pytest.fixture
def objects(repository: Path) -> Iterator[ObjectReader]:
    found = Repository.around(repository)
    assert found is not None
    with ObjectReader(found.git()) as reader:
        yield reader


def stored(repository: Path, contents: list[bytes]) -> list[str]:
    """The ids of these contents, once they are in the repository."""
    paths = [repository / f"file-{number}" for number in range(len(contents))]
    for path, data in zip(paths, contents, strict=True):
        path.write_bytes(data)
    names = "".join(f"{path}\n" for path in paths)
    command = ["git", "hash-object", "-w", "--stdin-paths"]
    done = subprocess.run(command, cwd=repository, input=names, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_more_objects_than_are_asked_for_at_once(repository: Path, objects: ObjectReader) -> None:
    contents = [b"x" * size for size in range(3 * ASKED + 1)]
    ids = stored(repository, contents)
    found = objects.infos([*ids[:7], MISSING, *ids[7:]])
    assert [found[blob].size for blob in ids] == [len(data) for data in contents]
    assert MISSING not in found
    assert b"".join(objects.blocks(ids[300])) == contents[300]


def test_object_that_came_later_is_found(repository: Path, objects: ObjectReader) -> None:
    late = (
        subprocess.run(["git", "hash-object", "--stdin"], input=b"late", check=True, capture_output=True)
        .stdout.decode()
        .strip()
    )
    assert objects.infos([late]) == {}
    with pytest.raises(Stalled, match=f"git object {late} is missing"):
        list(objects.blocks(late))
    assert stored(repository, [b"late"]) == [late]
    assert objects.infos([late])[late].size == 4
    assert b"".join(objects.blocks(late)) == b"late"


def test_size_that_is_remembered_is_not_asked_for_again(repository: Path, objects: ObjectReader) -> None:
    ids = stored(repository, [b"one", b"two"])
    objects.infos(ids)
    objects.close()
    assert [b"".join(objects.blocks(blob)) for blob in ids] == [b"one", b"two"]
    assert set(objects._processes) == {"--batch"}
