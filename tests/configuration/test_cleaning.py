"""The disk of what was built is given back while the daemon runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from controller.cli.running.cleaning import KEPT, Cleaning
from controller.images.layout import Layout
from controller.images.registry.bases import Bases
from controller.images.registry.builder import RegistryBuilder

pytestmark = pytest.mark.contract

_PUSH = "http://127.0.0.1:9/pointsman"
_BASE, _IMAGE = (f"sha256:{digit * 64}" for digit in "ab")


def test_what_nothing_used_for_a_day_goes_and_what_was_used_stays(tmp_path: Path) -> None:
    layout, bases = Layout(tmp_path / "layout"), Bases(tmp_path)
    with layout.writing("old") as old:
        old.write(b"a model of last week")
    with layout.writing("used") as used:
        used.write(b"a model that each version has")
    bases.remember(_BASE, "manifest", {})
    bases.remember(_IMAGE, "image", {})
    for path in (*layout.blobs.iterdir(), *(tmp_path / "bases").iterdir()):
        _age(path)
    layout.use(used.digest)
    with RegistryBuilder(_PUSH, "127.0.0.1:9/pointsman", tmp_path) as builder, Cleaning(builder.clean, every=0.01):
        deadline = time.monotonic() + 60.0
        while bases.note(_IMAGE, "image") is not None and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not layout.blob(old.digest).exists()
    assert layout.has(used.digest, used.size)
    assert bases.note(_IMAGE, "image") is None
    assert bases.note(_BASE, "manifest") == {}, "a base is known for ever: its registry may lose it"


def test_a_fault_ends_no_cleaning() -> None:
    times: list[float] = []

    def clean(before: float) -> None:
        times.append(before)
        raise ValueError("a fault of ours")

    with Cleaning(clean, every=0.001):
        deadline = time.monotonic() + 60.0
        while len(times) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
    assert len(times) >= 2
    assert times[0] < time.time() - KEPT + 1


def _age(path: Path) -> None:
    past = time.time() - KEPT - 3600.0
    os.utime(path, (past, past))
