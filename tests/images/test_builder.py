"""Images from specifications: the same ones whoever builds them, and never a broken one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from image_examples import CODE, MemoryCode, builder_at, in_code, members_of, on_disk, silent, spec_of

from controller.images.host import host_base
from controller.images.layout import Layout
from controller.model.declared import FileContent
from controller.model.errors import Stalled
from controller.model.images import BuildTerms, Image

pytestmark = pytest.mark.contract

Run = Callable[..., tuple[int, str, str]]


def manifest_of(root: Path, image: Image) -> dict[str, object]:
    document = Layout(root / "layout").read(image.digest)
    assert document is not None
    return document


def layer_names(root: Path, image: Image) -> list[list[str]]:
    layout = Layout(root / "layout")
    layers = manifest_of(root, image)["layers"]
    assert isinstance(layers, list)
    return [[m.name for m in members_of(layout.blob(layer["digest"]).read_bytes())] for layer in layers]


def test_image_is_found_only_once_it_is_built(tmp_path: Path) -> None:
    builder, spec = builder_at(tmp_path), spec_of()
    assert builder.find(spec) is None
    image = builder.build(spec, CODE, silent)
    assert image.reference == f"{spec.repository}@{image.digest}"
    assert image.key == spec.key
    assert builder.find(spec) == image == builder_at(tmp_path).build(spec, CODE, silent)


def test_order_of_layers_is_from_what_changes_least(tmp_path: Path) -> None:
    files = {"b.bin": in_code("models/net.bin"), "a.bin": in_code("models/net.bin")}
    image = builder_at(tmp_path).build(spec_of(files=files, shim=True), CODE, silent)
    code = [f"valohai/code/{path}" for path in ("bin/start", "models/net.bin", "serve.py")]
    assert layer_names(tmp_path, image) == [
        ["opt/pointsman", "opt/pointsman/shim.py"],
        ["valohai/code", "valohai/code/a.bin"],
        ["valohai/code", "valohai/code/b.bin"],
        ["valohai/code", *code],
    ]


def test_digest_does_not_depend_on_place_umask_locale_or_zone(tmp_path: Path, run_build: Run) -> None:
    (tmp_path / "other" / "place").mkdir(parents=True)
    first = run_build(tmp_path / "one", umask=0o022, TZ="UTC", LC_ALL="C")
    os.utime(tmp_path / "model.bin", (0, 0))
    (tmp_path / "other" / "model.bin").write_bytes((tmp_path / "model.bin").read_bytes())
    second = run_build(tmp_path / "other" / "place", umask=0o077, TZ="Pacific/Kiritimati", LC_ALL="C.UTF-8", PYTHONHASHSEED="7")
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert first[1].split()[0] == second[1].split()[0]


def test_declared_file_wins_over_the_code(tmp_path: Path) -> None:
    declared = tmp_path / "declared"
    declared.write_bytes(b"declared")
    spec = spec_of(files={"./models/net.bin": on_disk(declared)})
    image = builder_at(tmp_path, allow_file_urls=True).build(spec, CODE, silent)
    assert layer_names(tmp_path, image)[1] == ["valohai/code", "valohai/code/bin/start", "valohai/code/serve.py"]


@pytest.mark.parametrize("path", ["serve.py/model", "models"])
def test_declared_file_cannot_be_a_directory_too(tmp_path: Path, path: str) -> None:
    with pytest.raises(Stalled, match="would be a file and the directory of"):
        builder_at(tmp_path).build(spec_of(files={path: in_code("models/net.bin")}), CODE, silent)


def test_name_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    code = MemoryCode({"caf\udce9.py": b""})
    with pytest.raises(Stalled, match=r"caf\\udce9\.py.* its name is not UTF-8"):
        builder_at(tmp_path).build(spec_of(code), code, silent)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/.wh.b"])
def test_declared_path_cannot_leave_the_code(tmp_path: Path, path: str) -> None:
    with pytest.raises(Stalled, match="cannot be in an image"):
        builder_at(tmp_path).build(spec_of(files={path: in_code("models/net.bin")}), CODE, silent)


@pytest.mark.parametrize(
    ("mode", "what"), [("120000", "symbolic link"), ("160000", "submodule"), ("100000", "no regular file")]
)
def test_only_regular_files_enter_an_image(tmp_path: Path, mode: str, what: str) -> None:
    code = MemoryCode({"a": b"target"}, {"a": mode})
    with pytest.raises(Stalled, match=what):
        builder_at(tmp_path).build(spec_of(code), code, silent)


def test_secrets_and_lfs_pointers_are_warned_of(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    code = MemoryCode({".env": b"TOKEN=1", "picture.png": pointer, "app.py": b""})
    image = builder_at(tmp_path).build(spec_of(code), code, silent)
    assert [warning.split()[0] for warning in image.warnings] == ["picture.png", ".env:1"]
    assert builder_at(tmp_path).find(spec_of(code)) == image
    allowed = replace(spec_of(code), terms=BuildTerms(("*.env",)), port=9000)
    assert [warning.split()[0] for warning in builder_at(tmp_path).build(allowed, code, silent).warnings] == ["picture.png"]


def test_pointer_that_a_declared_file_replaces_is_no_warning(tmp_path: Path) -> None:
    code = MemoryCode({"net": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "real": b"weights"})
    image = builder_at(tmp_path).build(spec_of(code, files={"net": in_code("real", code)}), code, silent)
    assert image.warnings == ()


def test_declared_lfs_pointer_is_refused(tmp_path: Path) -> None:
    code = MemoryCode({"net": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"})
    with pytest.raises(Stalled, match="net is a git LFS pointer"):
        builder_at(tmp_path).build(spec_of(code, files={"model": in_code("net", code)}), code, silent)


def test_declared_file_that_is_not_committed_is_refused(tmp_path: Path) -> None:
    spec = spec_of(files={"model": FileContent(path="models/gone.bin", blob="0" * 40)})
    with pytest.raises(Stalled, match=r"models/gone\.bin is not in the code"):
        builder_at(tmp_path).build(spec, CODE, silent)


def test_bytecode_of_the_author_stays_out(tmp_path: Path) -> None:
    code = MemoryCode({"app.py": b"", "pkg/__pycache__/app.pyc": b"x"})
    image = builder_at(tmp_path).build(spec_of(code), code, silent)
    assert layer_names(tmp_path, image) == [["valohai/code", "valohai/code/app.py"]]


def test_equal_layers_are_read_once(tmp_path: Path) -> None:
    code = MemoryCode({"app.py": b"print()\n"})
    builder_at(tmp_path).build(spec_of(code), code, silent)
    code.reads.clear()
    builder_at(tmp_path).build(spec_of(code, command="python other.py", port=9000), code, silent)
    assert code.reads == []


def test_image_with_a_lost_or_short_blob_is_built_again(tmp_path: Path) -> None:
    builder, spec = builder_at(tmp_path), spec_of()
    image = builder.build(spec, CODE, silent)
    for blob in sorted((tmp_path / "layout" / "blobs" / "sha256").iterdir()):
        blob.write_bytes(blob.read_bytes()[:-1])
        assert builder.find(spec) is None
        assert builder.build(spec, CODE, silent) == image
        blob.unlink()
        assert builder.find(spec) is None
        assert builder.build(spec, CODE, silent) == image


@pytest.mark.parametrize("base", ["python:3.11-slim", "host:pypy-9.9-plan9"])
def test_other_bases_are_refused_with_the_reason(tmp_path: Path, base: str) -> None:
    with pytest.raises(Stalled, match=base) as caught:
        builder_at(tmp_path).build(spec_of(base=base), CODE, silent)
    assert host_base() in str(caught.value) + (caught.value.hint or "")


def test_image_of_the_host_says_what_it_is(tmp_path: Path) -> None:
    image = builder_at(tmp_path).build(spec_of(), CODE, silent)
    annotations = manifest_of(tmp_path, image)["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["org.opencontainers.image.base.name"] == host_base()
    assert annotations["pointsman.dev/never-push"]
    assert annotations["pointsman.dev/key"] == image.key


def test_two_processes_build_one_image_at_once(tmp_path: Path, start_build: Callable[..., object]) -> None:
    processes = [start_build(tmp_path / "root") for _ in range(3)]
    results = [process.communicate(timeout=60) for process in processes]  # type: ignore[attr-defined]
    assert [process.returncode for process in processes] == [0, 0, 0], results  # type: ignore[attr-defined]
    assert len({out.split()[0] for out, _ in results}) == 1
    assert len(json.loads((tmp_path / "root/layout/index.json").read_bytes())["manifests"]) == 1
    assert not list((tmp_path / "root/layout/partial").iterdir())
    assert not list((tmp_path / "root/cache/locks").iterdir())


def test_progress_that_raises_ends_the_build_and_leaves_no_tag(tmp_path: Path) -> None:
    def give_up(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    builder = builder_at(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        builder.build(spec_of(), CODE, give_up)
    assert builder.find(spec_of()) is None
    assert not list((tmp_path / "layout" / "partial").iterdir())
    assert builder.build(spec_of(), CODE, silent)


def test_repository_is_no_part_of_the_image(tmp_path: Path) -> None:
    builder = builder_at(tmp_path)
    first = builder.build(spec_of(), CODE, silent)
    found = builder.find(replace(spec_of(), repository="elsewhere/other"))
    assert found is not None
    assert found.digest == first.digest
    assert found.reference == f"elsewhere/other@{first.digest}"
