"""The builder on a real repository: what git holds is what the endpoint gets."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_examples import builder_at, silent, tree_of, unpacker_at

from controller.images.host import host_base
from controller.model.declared import FileContent
from controller.model.images import ImageSpec
from controller.source.code import Codebase, GitCode
from controller.source.objects import ObjectReader
from controller.source.repository import Repository

pytestmark = pytest.mark.contract

MODEL = bytes(range(256)) * 20_000


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    done = subprocess.run(["git", *identity, *arguments], cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for path, data in {
        "serve.py": b"print('hello')\n",
        "bin/start": b"#!/bin/sh\n",
        "requirements.txt": b"-r deps/base.txt\n",
        "deps/base.txt": b"six==1.16.0\n",
        "models/net.bin": MODEL,
        "pointsman/project.yaml": b"format: 1\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    (root / "bin/start").chmod(0o755)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    (root / ".env").write_text("TOKEN=never committed")
    return root


@pytest.fixture
def objects(repository: Path) -> Iterator[ObjectReader]:
    found = Repository.around(repository)
    assert found is not None
    reader = ObjectReader(found.git())
    yield reader
    reader.close()


def test_image_of_a_commit(tmp_path: Path, repository: Path, objects: ObjectReader) -> None:
    code = Codebase(objects, str(repository), "", "pointsman").at(git(repository, "rev-parse", "HEAD^{tree}"))
    assert code is not None
    assert code.requirements is not None
    declared = FileContent(path="models/net.bin", blob=git(repository, "rev-parse", "HEAD:models/net.bin"))
    spec = ImageSpec(
        "registry.example.com/ruksi/mnist",
        host_base(),
        "linux/amd64",
        code.tree,
        "python serve.py",
        8000,
        {"model/net.bin": declared},
        code.requirements.decode(),
    )
    unpacked = unpacker_at(tmp_path).unpack(builder_at(tmp_path).build(spec, GitCode(objects), silent).reference)
    found = tree_of(unpacked.code)
    assert sorted(found) == ["bin/start", "deps/base.txt", "model/net.bin", "models/net.bin", "requirements.txt", "serve.py"]
    assert found["bin/start"][0] == "-rwxr-xr-x"
    assert found["model/net.bin"][1] == MODEL
    assert unpacked.packages is not None
    assert (unpacked.packages / "six.py").exists()
