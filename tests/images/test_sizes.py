"""What is too large is refused with its name, the limit and the setting, before a byte of it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from image_examples import CODE, in_code, silent, spec_of
from registry_images import PROJECT, builder_for, spec_for
from registry_server import Registry

from controller.images.layers import Layer, LayerKind
from controller.images.sizes import FOR_THIS_MACHINE, Sizes, readable
from controller.model.errors import Stalled
from controller.model.limits import LARGEST_FILE, Limits
from controller.model.source import TreeEntry

GIB = 1 << 30


def layer(kind: LayerKind, size: int) -> Layer:
    return Layer(kind, "sha256:0", "sha256:0", size)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1 << 20, "1 MiB"),
        (3 << 29, "1.5 GiB"),
        (52_000 << 20, "50.8 GiB"),
        (1 << 60, "1048576 TiB"),
    ],
)
def test_a_size_is_printed_for_a_person(size: int, text: str) -> None:
    assert readable(size) == text


@pytest.mark.pure
def test_the_largest_files_of_the_code_are_named() -> None:
    entries = [TreeEntry(f"{n}.bin", "100644", str(n), n * GIB) for n in range(5)]
    with pytest.raises(
        Stalled, match=r"the code has 10 GiB, more than the limit of 9 GiB; largest: 4\.bin \(4 GiB\), 3\.bin"
    ) as told:
        Sizes(Limits(code=9 * GIB)).require_code(entries)
    assert "`registry.limits.code`" in (told.value.hint or "")
    assert "1.bin" not in told.value.message
    Sizes(Limits(code=10 * GIB)).require_code(entries)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("host", "largest", "words"),
    [
        ("registry.example.com", LARGEST_FILE, "64 GiB"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", 52_000 << 20, "52,000 MiB"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn:443", 52_000 << 20, "52,000 MiB"),
        ("GHCR.io", 10 * 10**9, "10 GB"),
        ("ghcr.io.example.com", LARGEST_FILE, "64 GiB"),
    ],
)
def test_what_a_known_registry_takes_is_the_limit_until_a_person_says_otherwise(host: str, largest: int, words: str) -> None:
    usual = Sizes(Limits(), host)
    usual.require_file("model", largest)
    with pytest.raises(Stalled, match=f"the limit of one file is {words}") as told:
        usual.require_file("model", largest + 1)
    assert ("takes layers up to" in (told.value.hint or "")) is (largest != LARGEST_FILE)
    assert "`registry.limits.file`" in (told.value.hint or "")
    Sizes(Limits(file=100 * GIB), host).require_file("model", 100 * GIB)


@pytest.mark.pure
def test_the_largest_parts_of_an_image_are_named() -> None:
    spec = spec_of(files={"b/net.bin": in_code("models/net.bin"), "a.bin": in_code("models/net.bin")})
    layers = [layer(LayerKind.DEPENDENCIES, 3 * GIB), layer(LayerKind.FILE, 4 * GIB), layer(LayerKind.FILE, 20 * GIB)]
    layers.append(layer(LayerKind.CODE, 1000))
    base = [{"size": GIB}, {"size": 2 * GIB}]
    with pytest.raises(Stalled, match=r"the image would have 30 GiB, more than the limit of 29 GiB") as told:
        Sizes(Limits(image=29 * GIB)).require_image(spec, base, layers)
    assert told.value.message.endswith("largest: b/net.bin (20 GiB), a.bin (4 GiB), the base (3 GiB)")
    with pytest.raises(Stalled, match=r"b/net\.bin has 20 GiB as a layer") as told:
        Sizes(Limits(), "ghcr.io").require_image(spec, base, layers)
    assert "the GitHub Container Registry takes layers up to 10 GB" in (told.value.hint or "")
    Sizes(Limits(file=40 * GIB), "ghcr.io").require_image(spec, base, layers)
    with pytest.raises(Stalled, match="a layer of the base has 30 GiB as a layer"):
        Sizes(Limits(), "ghcr.io").require_image(spec, [{"size": 30 * GIB}], [])


@pytest.mark.contract
@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(code=1000), r"the code has .* MiB, more than the limit of 1000 bytes; largest: models/net\.bin"),
        (Limits(file=1000), r"models/net\.bin has 1\.2 MiB or more, and the limit of one file is 1000 bytes"),
        (Limits(image=1000), r"the image would have .*, more than the limit of 1000 bytes; largest: "),
    ],
)
def test_nothing_is_pushed_of_what_is_too_large_also_when_it_was_made_before(
    registry: Registry, tmp_path: Path, limits: Limits, words: str
) -> None:
    spec = spec_for(registry, files={"net.bin": in_code("models/net.bin")})
    for _ in range(2):
        with builder_for(registry, tmp_path / "cache", limits=limits) as builder, pytest.raises(Stalled, match=words):
            builder.build(spec, CODE, silent)
    assert not (registry.storage / "docker/registry/v2/repositories/pointsman").exists()
    with builder_for(registry, tmp_path / "cache") as builder:
        builder.build(spec, CODE, silent)
    assert registry.tags(PROJECT) == [spec.tag]
    other = spec_for(registry, files={"net.bin": in_code("models/net.bin")}, port=9000)
    expected = words.replace(r"models/net\.bin has", r"net\.bin has")
    with builder_for(registry, tmp_path / "cache", limits=limits) as builder, pytest.raises(Stalled, match=expected):
        builder.build(other, CODE, silent)
    assert registry.tags(PROJECT) == [spec.tag]


@pytest.mark.pure
def test_limits_that_nobody_can_set_name_no_setting() -> None:
    too_much = [TreeEntry("a.bin", "100644", "1", 5 * GIB)]
    for refuse in (lambda: FOR_THIS_MACHINE.require_code(too_much), lambda: FOR_THIS_MACHINE.require_file("a", 65 * GIB)):
        with pytest.raises(Stalled) as told:
            refuse()
        assert told.value.hint
        assert "registry" not in told.value.hint
