"""A secret never leaves this machine: what holds one is refused before a byte is sent, and allowed by a word in git."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from drawn_secrets import SECRETS, private_key
from image_examples import CODE, MemoryCode, builder_at, in_code, silent, spec_of
from registry_images import PROJECT, builder_for, spec_for, tree_at
from registry_server import Registry

from controller.images.docker.pushing import PushingBuilder
from controller.model.errors import Stalled
from controller.model.images import BuildTerms

pytestmark = pytest.mark.contract

TOKEN = SECRETS["hugging face"][1]()
LEAKY = MemoryCode({**CODE.files, "app/settings.py": f"A = 1\nTOKEN = '{TOKEN}'\n".encode(), "key.pem": private_key().encode()})


def test_a_secret_in_the_code_is_refused_and_nothing_is_pushed(registry: Registry, tmp_path: Path) -> None:
    spec = spec_for(registry, LEAKY)
    with builder_for(registry, tmp_path / "cache") as builder:
        for _ in range(2):
            with pytest.raises(
                Stalled, match=r"app/settings\.py:2 holds a Hugging Face token, key\.pem:1 holds a private"
            ) as told:
                builder.build(spec, LEAKY, silent)
        assert TOKEN not in str(told.value) + str(told.value.hint)
        assert registry.tags(PROJECT) == []
        assert not (registry.storage / "docker/registry/v2/repositories/pointsman").exists()


def test_nor_does_an_engine_that_pushes_get_to_see_it(registry: Registry, tmp_path: Path) -> None:
    def connect() -> NoReturn:
        raise AssertionError("nothing is asked of an Engine for an image that is refused")

    push, pull = f"{registry.url}/pointsman", f"{registry.address}/pointsman"
    mirrors = {"docker.io": registry.url}
    made = PushingBuilder(push, pull, tmp_path / "cache", connect=connect, mirrors=mirrors)
    with made as builder, pytest.raises(Stalled, match=r"app/settings\.py:2 holds a Hugging Face token"):
        builder.build(spec_for(registry, LEAKY), LEAKY, silent)
    assert registry.tags(PROJECT) == []


def test_a_word_in_git_allows_it_without_another_key_or_look(registry: Registry, tmp_path: Path) -> None:
    spec = spec_for(registry, LEAKY)
    allowed = replace(spec, terms=BuildTerms(("app/*.py", "*.pem")))
    assert allowed.key == spec.key
    assert allowed == spec
    with builder_for(registry, tmp_path / "cache") as builder:
        with pytest.raises(Stalled, match=r"key\.pem:1"):
            builder.build(replace(spec, terms=BuildTerms(("app/**",))), LEAKY, silent)
        LEAKY.reads.clear()
        image = builder.build(allowed, LEAKY, silent)
        assert LEAKY.reads == [], "the layer was there, and what was found in it"
        assert image.warnings == ()
        assert TOKEN in str(tree_at(registry, image)["valohai/code/app/settings.py"][3])
        with pytest.raises(Stalled, match=r"app/settings\.py:2"):
            builder.build(replace(spec, port=9000), LEAKY, silent)


def test_an_image_that_stays_on_this_machine_is_made_with_a_warning(tmp_path: Path) -> None:
    image = builder_at(tmp_path).build(spec_of(LEAKY), LEAKY, silent)
    assert image.warnings == (
        "app/settings.py:2 holds a Hugging Face token; the image can stay on this machine, but not leave it",
        "key.pem:1 holds a private key; the image can stay on this machine, but not leave it",
    )


def test_a_declared_file_of_the_code_is_looked_at_too(registry: Registry, tmp_path: Path) -> None:
    spec = spec_for(registry, LEAKY, files={"key.pem": in_code("key.pem", LEAKY)}, terms=BuildTerms(("app/**",)))
    with builder_for(registry, tmp_path / "cache") as builder, pytest.raises(Stalled, match=r"key\.pem:1 holds a private key"):
        builder.build(spec, LEAKY, silent)


def test_what_is_not_in_the_image_is_not_looked_at(registry: Registry, tmp_path: Path) -> None:
    code = MemoryCode({**CODE.files, "pkg/__pycache__/settings.cpython-311.pyc": TOKEN.encode()})
    with builder_for(registry, tmp_path / "cache") as builder:
        assert builder.build(spec_for(registry, code), code, silent)
