"""A model is never held in memory, however large it is."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from base_images import push_base
from olareg import running_olareg
from registry_server import Registry

pytestmark = pytest.mark.faults

LARGE = 2 << 30
MOST = 64 << 10
"""KiB of the whole process, with Python and all that it imports."""

PUSH = Path(__file__).with_name("push_once.py")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    """A cache that takes its space back at once."""
    yield tmp_path / "cache"
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_olareg(tmp_path / "registry") as running:
        push_base(running.url)
        yield running


def test_two_gigabytes_take_64_megabytes_of_memory(registry: Registry, cache: Path) -> None:
    digest = hashlib.sha256()
    block = bytes(1 << 20)
    for _ in range(LARGE // len(block)):
        digest.update(block)
    model = cache / "blobs/sha256" / digest.hexdigest()
    model.parent.mkdir(parents=True)
    with model.open("wb") as file:
        file.truncate(LARGE)
    command = [sys.executable, str(PUSH), registry.address, str(cache), "large", "--model", model.name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    layers = list((registry.storage / "large/blobs/sha256").iterdir())
    assert any(layer.stat().st_size > LARGE for layer in layers)
    assert int(done.stdout.split()[1]) < MOST, done.stdout
