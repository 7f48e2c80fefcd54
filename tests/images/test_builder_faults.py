"""Killed at any step, or out of space: no tag ever leads to a broken image, and the next build succeeds."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.images.durable import disk_errors
from controller.images.layout import Layout
from controller.images.manifest import blobs_of
from controller.model.errors import Transient

pytestmark = pytest.mark.faults

Run = Callable[..., tuple[int, str, str]]
Start = Callable[..., "subprocess.Popen[str]"]


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def require_only_whole_images(layout: Path) -> None:
    """Every index entry and tag leads to a manifest all of whose blobs are there."""
    index = layout / "index.json"
    listed = json.loads(index.read_bytes())["manifests"] if index.exists() else []
    tagged = [json.loads(path.read_bytes()) for path in (layout / "tags").glob("v-*") if path.suffix != ".partial"]
    for entry in [*listed, *tagged]:
        document = Layout(layout).read(entry["digest"])
        assert document is not None
        assert all(Layout(layout).has(*blob) for blob in blobs_of(document))


def test_kill_9_at_every_step(tmp_path: Path, run_build: Run) -> None:
    code, out, errors = run_build(tmp_path / "whole")
    assert code == 0, errors
    digest, steps = out.split()
    root = tmp_path / "killed"
    for step in range(1, int(steps) + 1):
        code, out, errors = run_build(root, "--kill-at", str(step))
        if code == 0:
            break
        assert code == -signal.SIGKILL, errors
        require_only_whole_images(root / "layout")
    code, out, errors = run_build(root)
    assert code == 0, errors
    assert out.split()[0] == digest
    assert not list((root / "layout" / "partial").iterdir())


def test_kill_9_then_a_build_from_the_rest(tmp_path: Path, run_build: Run) -> None:
    digest, steps = run_build(tmp_path / "whole")[1].split()
    for step in range(2, int(steps) + 1, 4):
        root = tmp_path / f"killed-{step}"
        assert run_build(root, "--kill-at", str(step))[0] == -signal.SIGKILL
        assert run_build(root)[1].split()[0] == digest
        require_only_whole_images(root / "layout")


def test_kill_9_while_requirements_are_installed(tmp_path: Path, start_build: Start, run_build: Run) -> None:
    gate, pid = tmp_path / "gate", tmp_path / "pid"
    gate.touch()
    try:
        process = start_build(tmp_path / "root", "--install")
        wait_until(lambda: pid.exists() and pid.read_text() != "")
        process.kill()
        process.wait()
        assert list((tmp_path / "root/cache/scratch").iterdir())
    finally:
        gate.unlink()
    wait_until(lambda: not Path("/proc", pid.read_text()).exists())
    code, _, errors = run_build(tmp_path / "root", "--install")
    assert code == 0, errors
    require_only_whole_images(tmp_path / "root/layout")
    assert not list((tmp_path / "root/cache/scratch").iterdir())


@pytest.mark.parametrize("limit", [100, 2_000, 500_000, 2_000_000])
def test_full_disk_is_temporary_and_leaves_nothing_broken(tmp_path: Path, run_build: Run, limit: int) -> None:
    root = tmp_path / "root"
    code, _, errors = run_build(root, "--limit", str(limit))
    assert code == 1
    assert errors.startswith("Transient: the image cannot be put on the disk"), errors
    require_only_whole_images(root / "layout")
    assert run_build(root)[0] == 0


def test_what_was_cleaned_away_meanwhile_is_made_again(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="blob No such file") as failed, disk_errors():
        (tmp_path / "blob").read_bytes()
    assert failed.value.hint == "it is tried again"
