"""Images on disk: complete or absent, shared, and nothing outside their directory."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from image_examples import CODE, MemoryCode, builder_at, in_code, on_disk, silent, spec_of, tree_of, unpacker_at

from controller.images.layout import MANIFEST_TYPE, Layout
from controller.model.errors import Stalled, Transient

pytestmark = pytest.mark.contract


def test_code_files_and_own_files_lie_where_they_belong(tmp_path: Path) -> None:
    spec = spec_of(files={"declared/net.bin": in_code("models/net.bin")}, shim=True)
    unpacked = unpacker_at(tmp_path).unpack(builder_at(tmp_path).build(spec, CODE, silent).reference)
    assert tree_of(unpacked.code) == {
        "bin/start": ("-rwxr-xr-x", CODE.files["bin/start"]),
        "declared/net.bin": ("-rw-r--r--", CODE.files["models/net.bin"]),
        "models/net.bin": ("-rw-r--r--", CODE.files["models/net.bin"]),
        "serve.py": ("-rw-r--r--", CODE.files["serve.py"]),
    }
    assert list(tree_of(unpacked.own)) == ["shim.py"]
    assert unpacked.packages is None


def test_file_by_url_shares_the_disk_and_is_read_only(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(os.urandom(3 << 20))
    spec = spec_of(files={"model.bin": on_disk(model)})
    image = builder_at(tmp_path, allow_file_urls=True).build(spec, CODE, silent)
    unpacked = unpacker_at(tmp_path).unpack(image.reference).code / "model.bin"
    cached = next((tmp_path / "cache" / "blobs" / "sha256").iterdir())
    assert unpacked.samefile(cached)
    assert tree_of(unpacked.parent)["model.bin"] == ("-r--r--r--", model.read_bytes())


def test_file_by_url_is_copied_when_the_cache_lost_it(tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(b"weights")
    image = builder_at(tmp_path, allow_file_urls=True).build(spec_of(files={"m": on_disk(model)}), CODE, silent)
    next((tmp_path / "cache" / "blobs" / "sha256").iterdir()).unlink()
    assert (unpacker_at(tmp_path).unpack(image.reference).code / "m").read_bytes() == b"weights"


def test_umask_does_not_matter(tmp_path: Path) -> None:
    image = builder_at(tmp_path).build(spec_of(), CODE, silent)
    before = os.umask(0o077)
    try:
        code = unpacker_at(tmp_path).unpack(image.reference).code
    finally:
        os.umask(before)
    assert tree_of(code)["bin/start"][0] == "-rwxr-xr-x"


def test_many_threads_unpack_one_image(tmp_path: Path) -> None:
    image = builder_at(tmp_path).build(spec_of(), CODE, silent)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: unpacker_at(tmp_path).unpack(image.reference), range(16)))
    assert len(set(results)) == 1
    assert [path.name for path in (tmp_path / "cache" / "unpacked").iterdir()] == [image.digest.removeprefix("sha256:")]


def test_rest_of_a_killed_unpacking_is_replaced(tmp_path: Path) -> None:
    image = builder_at(tmp_path).build(spec_of(), CODE, silent)
    left = tmp_path / "cache" / "unpacked" / f"{image.digest.removeprefix('sha256:')}.partial" / "code"
    left.mkdir(parents=True)
    (left / "rubbish").write_text("half a file")
    assert "rubbish" not in tree_of(unpacker_at(tmp_path).unpack(image.reference).code)


def test_unknown_image_is_named(tmp_path: Path) -> None:
    reference = f"registry.example.com/x@sha256:{'0' * 64}"
    with pytest.raises(Stalled, match=reference):
        unpacker_at(tmp_path).unpack(reference)


@pytest.mark.parametrize("reference", ["x", "x@sha256:../../../etc/passwd", "x@md5:00", "x:latest"])
def test_reference_without_a_digest_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(Stalled, match="is not a sha256 digest"):
        unpacker_at(tmp_path).unpack(reference)


@pytest.mark.parametrize("damage", ["flip", "cut", "lose"])
def test_damaged_layer_is_never_served_and_heals(tmp_path: Path, damage: str) -> None:
    code = MemoryCode({"app.py": os.urandom(5000)})
    spec, builder = spec_of(code), builder_at(tmp_path)
    image = builder.build(spec, code, silent)
    document = Layout(tmp_path / "layout").read(image.digest)
    assert document
    blob = Layout(tmp_path / "layout").blob(document["layers"][0]["digest"])
    data = bytearray(blob.read_bytes())
    data[2000] ^= 1
    if damage == "lose":
        blob.unlink()
    else:
        blob.write_bytes(data if damage == "flip" else data[:2000])
    with pytest.raises(Transient, match="missing or damaged"):
        unpacker_at(tmp_path).unpack(image.reference)
    assert builder.find(spec) is None
    again = builder.build(spec, code, silent)
    assert (unpacker_at(tmp_path).unpack(again.reference).code / "app.py").read_bytes() == code.files["app.py"]


def _forged(root: Path, *entries: tarfile.TarInfo) -> str:
    """An image whose one code layer holds `entries`, as a layout from elsewhere might."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for entry in entries:
            archive.addfile(entry, BytesIO(b"x" * entry.size))
    layout = Layout(root / "layout")
    with layout.writing("layer") as blob:
        blob.write(gzip.compress(out.getvalue()))
    layer = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": blob.digest,
        "size": blob.size,
        "annotations": {"pointsman.dev/layer": "code"},
    }
    digest, size = layout.store("manifest", {"layers": [layer]})
    layout.publish("v-forged", {"mediaType": MANIFEST_TYPE, "digest": digest, "size": size})
    return f"x@{digest}"


def _entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return entry


@pytest.mark.parametrize(
    "entries",
    [
        [_entry("valohai/code/../../escaped")],
        [_entry("/escaped")],
        [_entry("etc/escaped")],
        [_entry("valohai/code")],
        [_entry("valohai/code/link", tarfile.SYMTYPE, "/tmp"), _entry("valohai/code/link/escaped")],
        [_entry("valohai/code/link", tarfile.LNKTYPE, "/etc/passwd")],
        [_entry("valohai/code/pipe", tarfile.FIFOTYPE)],
        [_entry("valohai/code/null", tarfile.CHRTYPE)],
    ],
)
def test_forged_layer_writes_nothing(tmp_path: Path, entries: list[tarfile.TarInfo]) -> None:
    reference = _forged(tmp_path, *entries)
    with pytest.raises(Stalled):
        unpacker_at(tmp_path).unpack(reference)
    assert not list(tmp_path.rglob("*escaped*"))
    assert not [path for path in (tmp_path / "cache" / "unpacked").iterdir() if not path.name.endswith(".partial")]


def test_layout_reads_like_any_other(tmp_path: Path) -> None:
    first = builder_at(tmp_path).build(spec_of(), CODE, silent)
    second = builder_at(tmp_path).build(spec_of(port=9), CODE, silent)
    layout = tmp_path / "layout"
    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    entries = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert [entry["digest"] for entry in entries] == [first.digest, second.digest]
    assert [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries] == [
        spec_of().tag,
        spec_of(port=9).tag,
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"manifests": []}'])
def test_broken_index_is_made_again_from_the_tags(tmp_path: Path, content: bytes) -> None:
    builder_at(tmp_path).build(spec_of(), CODE, silent)
    index = tmp_path / "layout" / "index.json"
    index.write_bytes(content)
    builder_at(tmp_path).build(spec_of(port=9), CODE, silent)
    assert len(json.loads(index.read_bytes())["manifests"]) == 2
