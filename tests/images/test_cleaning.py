"""What nothing runs goes, what runs or is new stays whole, and everything can be built again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from image_examples import CODE, MemoryCode, builder_at, in_code, on_disk, silent, spec_of, tree_of, unpacker_at

from controller.images.cleaning import ImageCleaner
from controller.model.errors import Stalled
from controller.model.images import Image, ImageSpec

pytestmark = pytest.mark.contract

OTHER = MemoryCode({"serve.py": b"print('other')\n"})
NOW = 1_000_000_000.0
LEFT_BEHIND = (
    "cache/scratch/x-1/file",
    "cache/unpacked/0a.partial/code/file",
    "cache/blobs/sha256/0a.partial",
    "layout/partial/code-1",
)


def age(root: Path) -> None:
    """Everything below `root` becomes older than any limit that a test names."""
    for folder, _, files in os.walk(root):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            os.utime(path, (NOW - 10, NOW - 10))


def made(root: Path, spec: ImageSpec, code: MemoryCode = CODE) -> Image:
    image = builder_at(root, allow_file_urls=True).build(spec, code, silent)
    unpacker_at(root).unpack(image.reference)
    return image


def clean(root: Path, *references: str, before: float = NOW) -> None:
    ImageCleaner(root / "layout", root / "cache").remove_unnamed(references, before)


def files_below(root: Path) -> set[Path]:
    return {path for part in ("layout", "cache") for path in (root / part).rglob("*") if path.is_file()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "given" / "model.bin"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


def test_what_nothing_runs_goes_with_all_that_only_it_needed(tmp_path: Path, model: Path) -> None:
    kept = made(tmp_path, spec_of(OTHER), OTHER)
    before = files_below(tmp_path)
    gone = spec_of(files={"m": on_disk(model), "n": in_code("models/net.bin")}, shim=True)
    reference = made(tmp_path, gone).reference
    age(tmp_path)
    clean(tmp_path, kept.reference)
    assert files_below(tmp_path) == before
    assert builder_at(tmp_path).find(gone) is None
    assert [m["digest"] for m in json.loads((tmp_path / "layout/index.json").read_bytes())["manifests"]] == [kept.digest]
    with pytest.raises(Stalled):
        unpacker_at(tmp_path).unpack(reference)
    assert made(tmp_path, gone).reference == reference


def test_what_runs_stays_with_what_it_shares(tmp_path: Path, model: Path) -> None:
    kept = made(tmp_path, spec_of(files={"m": on_disk(model)}))
    made(tmp_path, spec_of(files={"m": on_disk(model)}, command="python other.py"))
    code = unpacker_at(tmp_path).unpack(kept.reference).code
    tree = tree_of(code)
    age(tmp_path)
    clean(tmp_path, kept.reference)
    assert tree_of(code) == tree
    assert builder_at(tmp_path).find(spec_of(files={"m": on_disk(model)})) == kept


def test_what_is_new_stays(tmp_path: Path) -> None:
    image = made(tmp_path, spec_of())
    before = files_below(tmp_path)
    clean(tmp_path)
    assert files_below(tmp_path) == before
    assert builder_at(tmp_path).find(spec_of()) == image


def test_what_killed_builds_left_goes(tmp_path: Path) -> None:
    kept = made(tmp_path, spec_of())
    before = files_below(tmp_path)
    for name in LEFT_BEHIND:
        left = tmp_path / name
        left.parent.mkdir(parents=True, exist_ok=True)
        left.touch()
    age(tmp_path)
    clean(tmp_path, kept.reference)
    assert files_below(tmp_path) == before


def test_there_need_be_nothing_to_clean(tmp_path: Path) -> None:
    clean(tmp_path, "registry.example.com/a/b@sha256:" + "0" * 64)
    assert files_below(tmp_path) == set()
