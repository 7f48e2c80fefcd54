"""Images that are pushed to a real registry: what they hold, and what it takes to push them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from base_images import DEBIAN, MANIFEST, RUN, archive, digest_of, in_members, push_base, push_manifest
from image_examples import CODE, MemoryCode, builder_at, in_code, silent, spec_of
from registry_images import PROJECT, blob_at, builder_for, config_at, manifest_at, spec_for, tree_at, unpacked
from registry_server import Registry, running_registry

from controller.images.host import host_base, python_version
from controller.images.layout import Layout
from controller.images.registry.builder import RegistryBuilder
from controller.images.registry.known import BELIEVED, Known
from controller.model.errors import Stalled, Transient

pytestmark = pytest.mark.contract


@pytest.fixture
def builder(registry: Registry, tmp_path: Path) -> Iterator[RegistryBuilder]:
    with builder_for(registry, tmp_path / "cache") as made:
        yield made


def test_image_is_found_only_once_it_is_built(registry: Registry, builder: RegistryBuilder, tmp_path: Path) -> None:
    spec = spec_for(registry)
    assert builder.find(spec) is None
    image = builder.build(spec, CODE, silent)
    assert image.reference == f"{spec.repository}@{image.digest}"
    assert registry.tags(PROJECT) == [spec.tag]
    with builder_for(registry, tmp_path / "fresh") as fresh:
        assert builder.find(spec) == image == fresh.find(spec) == fresh.build(spec, CODE, silent)


def test_base_is_mounted_and_its_layers_come_first(registry: Registry, builder: RegistryBuilder) -> None:
    image = builder.build(spec_for(registry), CODE, silent)
    base = httpx2.get(f"{registry.url}/v2/library/python/manifests/3.11", headers={"accept": MANIFEST}).json()
    layers = manifest_at(registry, image)["layers"]
    assert layers[0] == base["layers"][0]
    assert manifest_at(registry, image)["annotations"]["org.opencontainers.image.base.digest"] == image.base_digest
    assert config_at(registry, image)["rootfs"]["diff_ids"][0] == digest_of(archive(DEBIAN))
    assert len(config_at(registry, image)["history"]) == len(layers)


def test_both_builders_make_the_same_tree(registry: Registry, builder: RegistryBuilder, tmp_path: Path) -> None:
    python = f"python{python_version()}"
    tree = {**DEBIAN, "usr/bin/python3": python}
    push_base(registry.url, trees=[tree])
    common = {
        "files": {"a/b.bin": in_code("models/net.bin")},
        "requirements": "six==1.16.0\n",
        "shim": True,
        "wsgi": True,
    }
    image = builder.build(spec_for(registry, **common), CODE, silent)
    here = builder_at(tmp_path / "here").build(spec_of(**common), CODE, silent)
    layout = Layout(tmp_path / "here" / "layout")
    document = layout.read(here.digest)
    assert document is not None
    own = unpacked([(layout.blob(x["digest"]).read_bytes(), x["mediaType"]) for x in document["layers"]])
    pushed = tree_at(registry, image)
    assert {path: entry for path, entry in pushed.items() if path not in tree} == own
    config = json.loads(layout.blob(document["config"]["digest"]).read_bytes())
    pushed_config = config_at(registry, image)
    assert pushed_config["config"]["Cmd"] == config["config"]["Cmd"]
    assert pushed_config["config"]["WorkingDir"] == config["config"]["WorkingDir"]
    assert pushed_config["rootfs"]["diff_ids"][1:] == config["rootfs"]["diff_ids"]


def test_configuration_keeps_the_base_but_for_its_command(registry: Registry, builder: RegistryBuilder) -> None:
    push_base(registry.url, run={**RUN, "Labels": {"a": "b"}, "ExposedPorts": {"1/tcp": {}}, "User": "1000"})
    config = config_at(registry, builder.build(spec_for(registry, requirements="six==1.16.0\n"), CODE, silent))
    assert "container_config" not in config
    assert config["config"] == {
        "Cmd": ["sh", "-c", "python serve.py"],
        "Entrypoint": None,
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONPATH=/opt/pointsman/python:/base/lib"],
        "ExposedPorts": {"1/tcp": {}, "8000/tcp": {}},
        "Labels": {"a": "b"},
        "User": "1000",
        "WorkingDir": "/valohai/code",
    }


def test_code_directory_belongs_to_the_base_s_numeric_user(registry: Registry, builder: RegistryBuilder) -> None:
    push_base(registry.url, run={**RUN, "User": "1000:100"})
    image = builder.build(spec_for(registry, files={"m/x.bin": in_code("models/net.bin")}, shim=True), CODE, silent)
    tree = tree_at(registry, image)
    owners = {path: entry[2] for path, entry in tree.items() if path.startswith("valohai")}
    assert set(owners) >= {
        "valohai/code",
        "valohai/code/bin",
        "valohai/code/bin/start",
        "valohai/code/m",
        "valohai/code/m/x.bin",
    }
    assert set(owners.values()) == {(1000, 100)}
    assert tree["opt/pointsman/shim.py"][2] == (0, 0)


@pytest.mark.parametrize(
    ("user", "security", "complaint"),
    [
        ("", "root-bounded", None),
        ("", "restricted", "runs as root"),
        ("0:0", "restricted", "runs as root"),
        ("app", "root-bounded", "'app'"),
        ("app", "restricted", "numeric USER"),
        ("1000", "restricted", None),
    ],
)
def test_users_that_will_not_do_are_warned_of(
    registry: Registry, tmp_path: Path, user: str, security: str, complaint: str | None
) -> None:
    push_base(registry.url, run={**RUN, "User": user})
    with builder_for(registry, tmp_path / "cache", security=security) as builder:
        image = builder.build(spec_for(registry), CODE, silent)
        assert builder.find(spec_for(registry)) == image
    assert bool(image.warnings) == bool(complaint)
    assert (complaint or "") in " ".join(image.warnings)


@pytest.mark.parametrize(
    ("port", "security", "warned"), [(80, "root-bounded", True), (80, "none", False), (1024, "restricted", False)]
)
def test_ports_that_may_be_refused_are_warned_of(
    registry: Registry, tmp_path: Path, port: int, security: str, warned: bool
) -> None:
    with builder_for(registry, tmp_path / "cache", security=security) as builder:
        image = builder.build(spec_for(registry, port=port), CODE, silent)
    assert any(f"port {port} may be refused" in warning for warning in image.warnings) == warned


def test_cleaning_gives_the_disk_back_and_harms_nothing(registry: Registry, tmp_path: Path) -> None:
    with builder_for(registry, tmp_path / "cache") as builder:
        image = builder.build(spec_for(registry), CODE, silent)
        blobs = Layout(tmp_path / "cache" / "layout").blobs
        assert list(blobs.iterdir())
        builder.clean(time.time() + 60)
        assert not list(blobs.iterdir())
        assert builder.find(spec_for(registry)) == image
        assert builder.build(spec_for(registry, port=9000), CODE, silent)


def test_code_change_sends_the_code_and_nothing_else(registry: Registry, builder: RegistryBuilder) -> None:
    files = {"m.bin": in_code("models/net.bin")}
    first = builder.build(spec_for(registry, files=files), CODE, silent)
    other = MemoryCode({**CODE.files, "serve.py": b"print('other')\n"}, CODE.modes)
    blobs = set((registry.storage / "docker/registry/v2/blobs/sha256").glob("*/*"))
    second = builder.build(spec_for(registry, other, files=files), other, silent)
    added = set((registry.storage / "docker/registry/v2/blobs/sha256").glob("*/*")) - blobs
    assert len(added) == 3, "code, configuration and manifest"
    old, new = manifest_at(registry, first)["layers"], manifest_at(registry, second)["layers"]
    assert old[:-1] == new[:-1]
    assert old[-1] != new[-1]


def test_base_of_another_registry_is_copied_once(registry: Registry, tmp_path: Path) -> None:
    with running_registry(tmp_path / "other") as other:
        push_base(other.url, "team/base", "1")
        base = f"{other.address}/team/base:1"
        with builder_for(registry, tmp_path / "cache") as builder:
            image = builder.build(spec_for(registry, base=base), CODE, silent)
        layer = manifest_at(registry, image)["layers"][0]["digest"]
        assert blob_at(registry, layer, "pointsman/bases") == blob_at(other, layer, "team/base")
        other.blob(layer).unlink()
        with builder_for(registry, tmp_path / "fresh") as fresh:
            again = spec_for(registry, base=base, repository=f"{registry.address}/pointsman/ruksi/other")
            assert fresh.build(again, CODE, silent).digest == image.digest


def test_remembered_base_wins_over_a_tag_that_moved(registry: Registry, builder: RegistryBuilder, tmp_path: Path) -> None:
    image = builder.build(spec_for(registry), CODE, silent)
    moved = push_base(registry.url, trees=[DEBIAN, {"etc/moved": b"1"}])
    with builder_for(registry, tmp_path / "fresh") as fresh:
        other = spec_for(registry, command="python other.py")
        pinned = fresh.build(replace(other, base_digest=image.base_digest), CODE, silent)
        assert pinned.base_digest == image.base_digest
        assert fresh.build(replace(other, port=9000), CODE, silent).base_digest == moved


def test_base_that_lost_its_tag_still_serves_who_remembers_it(registry: Registry, builder: RegistryBuilder) -> None:
    image = builder.build(spec_for(registry), CODE, silent)
    with httpx2.Client() as client:
        assert client.delete(f"{registry.url}/v2/library/python/manifests/{image.base_digest}").status_code == 202
    other = spec_for(registry, command="python other.py")
    assert builder.build(replace(other, base_digest=image.base_digest), CODE, silent).base_digest == image.base_digest
    with pytest.raises(Stalled, match=r"docker\.io/library/python:3\.11 does not exist"):
        builder.build(replace(other, port=9000), CODE, silent)


def test_lost_image_is_built_again_as_it_was(registry: Registry, builder: RegistryBuilder) -> None:
    spec = spec_for(registry)
    image = builder.build(spec, CODE, silent)
    httpx2.delete(f"{registry.url}/v2/{PROJECT}/manifests/{image.digest}")
    assert builder.find(spec) is None
    assert builder.build(spec, CODE, silent) == image


def index_of(registry: Registry, platforms: dict[str, str]) -> str:
    """Push an index of these platforms' manifests, and an attestation as BuildKit adds one."""
    manifests = [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": 1,
            "platform": dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False)),
        }
        for platform, digest in platforms.items()
    ]
    media_type = "application/vnd.oci.image.index.v1+json"
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}
    return push_manifest(registry.url, "library/many", "1", document)


def test_platform_of_an_index_is_chosen(registry: Registry, builder: RegistryBuilder) -> None:
    digests = {
        "unknown/unknown": push_base(registry.url, "library/many", "a", trees=[{"attestation": b"1"}]),
        "linux/arm64/v8": push_base(registry.url, "library/many", "b", trees=[{"arm": b"1"}], platform=("linux", "arm64")),
        "linux/amd64": push_base(registry.url, "library/many", "c", trees=[{"amd": b"1"}]),
    }
    index = index_of(registry, digests)
    image = builder.build(spec_for(registry, base="many:1"), CODE, silent)
    assert "amd" in tree_at(registry, image)
    assert image.base_digest == index
    arm = builder.build(spec_for(registry, base="many:1", platform="linux/arm64"), CODE, silent)
    assert "arm" in tree_at(registry, arm)
    assert config_at(registry, arm)["architecture"] == "arm64"
    with pytest.raises(Stalled, match="not there for linux/s390x, only for linux/amd64, linux/arm64"):
        builder.build(spec_for(registry, base="many:1", platform="linux/s390x"), CODE, silent)


def test_base_for_another_machine_is_refused(registry: Registry, builder: RegistryBuilder) -> None:
    push_base(registry.url, "library/arm", "1", platform=("linux", "arm64"))
    with pytest.raises(Stalled, match="is for linux/arm64, and the target runs linux/amd64"):
        builder.build(spec_for(registry, base="arm:1"), CODE, silent)


def test_docker_layer_types_become_oci_ones(registry: Registry, builder: RegistryBuilder) -> None:
    push_base(registry.url, "library/old", "1", media_type="application/vnd.docker.image.rootfs.diff.tar.gzip")
    image = builder.build(spec_for(registry, base="old:1"), CODE, silent)
    assert {x["mediaType"].rpartition("+")[0] or x["mediaType"] for x in manifest_at(registry, image)["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar"
    }


def test_layers_that_cannot_be_read_are_refused(registry: Registry, builder: RegistryBuilder) -> None:
    push_base(registry.url, "library/windows", "1", media_type="application/vnd.oci.image.layer.v1.tar+gzip+encrypted")
    with pytest.raises(Stalled, match="a layer that cannot be used"):
        builder.build(spec_for(registry, base="windows:1"), CODE, silent)


def test_ghost_of_a_blob_is_sent_again(registry: Registry, builder: RegistryBuilder, tmp_path: Path) -> None:
    spec = spec_for(registry)
    image = builder.build(spec, CODE, silent)
    layers = manifest_at(registry, image)["layers"]
    registry.blob(layers[-1]["digest"]).unlink()
    assert httpx2.head(f"{registry.url}/v2/{PROJECT}/blobs/{layers[-1]['digest']}").status_code == 200, "it says so from memory"
    with builder_for(registry, tmp_path / "fresh") as fresh:
        fresh.build(replace(spec, command="python other.py"), CODE, silent)
    assert blob_at(registry, layers[-1]["digest"])


def test_registry_that_lost_a_known_blob_gets_it_again(registry: Registry, builder: RegistryBuilder, tmp_path: Path) -> None:
    spec = spec_for(registry)
    image = builder.build(spec, CODE, silent)
    code = manifest_at(registry, image)["layers"][-1]["digest"]
    httpx2.delete(f"{registry.url}/v2/{PROJECT}/blobs/{code}")
    registry.blob(code).unlink()
    again = builder.build(replace(spec, command="python other.py"), CODE, silent)
    assert manifest_at(registry, again)["layers"][-1]["digest"] == code
    assert blob_at(registry, code)


def test_ghost_of_a_known_blob_is_sent_again_after_a_while(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    known = Known(lambda: now[0])
    monkeypatch.setattr("controller.images.registry.builder.Known", lambda: known)
    code = MemoryCode({**CODE.files, "models/net.bin": bytes(1 << 20)}, CODE.modes)
    with builder_for(registry, tmp_path / "cache") as builder:
        spec = spec_for(registry, code, files={"m.bin": in_code("models/net.bin", code)})
        layers = manifest_at(registry, builder.build(spec, code, silent))["layers"]
        model = max(layers, key=lambda layer: layer["size"])["digest"]
        now[0] = BELIEVED / 2
        builder.build(replace(spec, command="python in-between.py"), code, silent)
        registry.blob(model).unlink()
        now[0] = BELIEVED
        builder.build(replace(spec, command="python other.py"), code, silent)
    assert blob_at(registry, model)


def test_layer_that_was_damaged_on_the_disk_is_never_pushed(registry: Registry, tmp_path: Path) -> None:
    with builder_for(registry, tmp_path / "cache") as builder:
        image = builder.build(spec_for(registry), CODE, silent)
        code = manifest_at(registry, image)["layers"][-1]["digest"]
        path = Layout(tmp_path / "cache" / "layout").blob(code)
        path.write_bytes(bytes(path.stat().st_size))
        elsewhere = spec_for(registry, repository=f"{registry.address}/pointsman/ruksi/other")
        with pytest.raises(Transient, match="damaged on the disk"):
            builder.build(elsewhere, CODE, silent)
        assert registry.tags("pointsman/ruksi/other") == []
        assert builder.build(elsewhere, CODE, silent).digest == image.digest


def test_image_of_the_host_is_never_pushed(registry: Registry, builder: RegistryBuilder) -> None:
    with pytest.raises(Stalled, match="never pushed"):
        builder.build(spec_for(registry, base=host_base()), CODE, silent)


@pytest.mark.parametrize("repository", ["elsewhere.example.com/ruksi/mnist", "{}/pointsman/ruksi/mn..ist"])
def test_repository_is_checked_before_any_request(registry: Registry, builder: RegistryBuilder, repository: str) -> None:
    with pytest.raises(Stalled, match=r"pods pull from|name of a repository"):
        builder.find(spec_for(registry, repository=repository.format(registry.address)))


def test_progress_that_raises_ends_the_push_and_leaves_no_tag(registry: Registry, tmp_path: Path) -> None:
    def give_up(what: str, done: int, total: int) -> None:
        if what.startswith("pushing") and list((tmp_path / "cache").glob("layers/code/*")):
            raise Transient("given up")

    with builder_for(registry, tmp_path / "cache") as builder:
        with pytest.raises(Transient, match="given up"):
            builder.build(spec_for(registry), CODE, give_up)
        assert registry.tags(PROJECT) == []
        assert not list((tmp_path / "cache" / "locks").iterdir())
        assert builder.build(spec_for(registry), CODE, silent)


OLD_DEBIAN = {
    "usr/bin/python3": "python3.6",
    "usr/bin/python3.6": b"\x7fELF",
    "lib/x86_64-linux-gnu/libc.so.6": "libc-2.27.so",
    "lib/x86_64-linux-gnu/libc-2.27.so": b"",
}
CONDA = {
    "opt/conda/bin/python3": "python3.10",
    "opt/conda/bin/python3.10": b"\x7fELF",
    "usr/bin/python3": "python3.8",
    "usr/bin/python3.8": b"\x7fELF",
    "lib64/libc.so.6": b"GNU C Library (GNU libc) stable release version 2.28.\n",
}
ALPINE = {"lib/ld-musl-x86_64.so.1": b"", "usr/local/bin/python3": "python3.12", "usr/local/bin/python3.12": b""}


@pytest.mark.parametrize(
    ("trees", "environment", "expected"),
    [
        ([OLD_DEBIAN], [], "gunicorn==21.2.0"),
        ([CONDA], ["PATH=/opt/conda/bin:/usr/bin"], "gunicorn==27.0.1"),
        ([ALPINE], [], "gunicorn==27.0.1"),
        ([OLD_DEBIAN, {"usr/bin/python3": "python3.9", "usr/bin/python3.9": b""}], [], "gunicorn==23.0.0"),
        ([{"lib64/libc.so.6": b""}], ["PYTHON_VERSION=3.7.17"], "gunicorn==23.0.0"),
    ],
    ids=["Python 3.6", "conda", "musl", "upper layer", "said by the image"],
)
def test_server_fits_the_python_of_the_base(
    registry: Registry, builder: RegistryBuilder, trees: list[dict[str, bytes | str]], environment: list[str], expected: str
) -> None:
    push_base(registry.url, trees=trees, run={"Env": environment})
    image = builder.build(spec_for(registry, wsgi=True), CODE, silent)
    assert expected in manifest_at(registry, image)["annotations"]["pointsman.dev/distributions"].split()
    assert "opt/pointsman/python/bin/gunicorn" in tree_at(registry, image)


def test_base_of_many_gzip_members_is_read_whole(registry: Registry, builder: RegistryBuilder) -> None:
    push_base(registry.url, trees=[{"etc/first": b"1", **OLD_DEBIAN}], run={"Env": []}, compress=in_members)
    image = builder.build(spec_for(registry, wsgi=True), CODE, silent)
    assert "gunicorn==21.2.0" in manifest_at(registry, image)["annotations"]["pointsman.dev/distributions"].split()


def test_layers_of_a_base_are_read_once(registry: Registry, builder: RegistryBuilder, tmp_path: Path) -> None:
    image = builder.build(spec_for(registry, wsgi=True), CODE, silent)
    registry.blob(manifest_at(registry, image)["layers"][0]["digest"]).write_bytes(b"damaged")
    with builder_for(registry, tmp_path / "cache") as fresh:
        assert fresh.build(spec_for(registry, wsgi=True, port=9000), CODE, silent)


def test_base_without_python_can_run_what_needs_none(registry: Registry, builder: RegistryBuilder) -> None:
    push_base(registry.url, trees=[{"bin/sh": b""}])
    assert builder.build(spec_for(registry), CODE, silent)
    with pytest.raises(Stalled, match="no Python"):
        builder.build(spec_for(registry, wsgi=True), CODE, silent)


def test_package_without_a_wheel_is_named(registry: Registry, builder: RegistryBuilder) -> None:
    with pytest.raises(Stalled, match=r"docopt==0\.6\.2") as caught:
        builder.build(spec_for(registry, requirements="docopt==0.6.2\n"), CODE, silent)
    assert "wheel" in (caught.value.hint or "")


def test_package_of_the_code_needs_a_wheel(registry: Registry, builder: RegistryBuilder) -> None:
    code = MemoryCode({"lib/setup.py": b"from setuptools import setup\nsetup(name='own', version='1')\n"})
    with pytest.raises(Stalled, match=r"requirements-deployment\.txt:1: `\./lib` wants a package built") as caught:
        builder.build(spec_for(registry, code, requirements="./lib\n"), code, silent)
    assert "wheel" in (caught.value.hint or "")
