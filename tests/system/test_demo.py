"""The demo as a stranger meets it: a process of its own, its lines pasted into a second shell, and its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from controller.cli.scratch import sample_directory, scratch

pytestmark = pytest.mark.system

PATIENCE = 300.0


class Demo:
    """A demo in a session of its own, whose lines can be waited for."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        command = [sys.executable, "-m", "controller", "demo", *arguments]
        self.process = subprocess.Popen(
            command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def await_line(self, part: str) -> str:
        """The first line that holds `part`."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while True:
                found = next((line for line in self.lines if part in line), None)
                if found is not None:
                    return found
                assert self._news.wait(deadline - time.monotonic()), f"no {part!r} in:\n{self.text}"
                assert self._thread.is_alive() or part in self.text, f"ended without {part!r}:\n{self.text}"

    def finish(self, number: int | None = None) -> int:
        """The exit code, after sending a signal."""
        if number is not None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it does not end:\n{self.text}")
        self._thread.join(PATIENCE)
        return code

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.finish()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A machine without git configuration; whatever a failed test leaves running is ended."""
    (tmp_path / "home").mkdir()
    shared = {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "POINTSMAN_"))}
    yield {**kept, **shared, "HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "state")}
    for pid in processes_of(tmp_path / "state"):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def started(environment: Mapping[str, str], *arguments: str) -> Iterator[Demo]:
    demo = Demo(environment, *arguments)
    try:
        yield demo
    finally:
        demo.close()


def left_running(tmp_path: Path) -> set[int]:
    """Processes that still know this test's state directory, a moment after they should have ended."""
    deadline = time.monotonic() + 60.0
    while (found := processes_of(tmp_path / "state")) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def processes_of(state: Path) -> set[int]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(state) in (process / "environ").read_bytes():
                found.add(int(process.name))
    return found


def left_on_disk(tmp_path: Path) -> list[str]:
    home = tmp_path / "state" / "pointsman"
    return sorted(path.name for path in [*home.glob("*"), *home.glob("demo/*")] if path.suffix != ".lock")


def test_the_tour_sees_every_step(environment: dict[str, str], tmp_path: Path) -> None:
    with started(environment, "--tour") as demo:
        code = demo.finish()
    assert code == 0, demo.text
    rows = re.findall(r"^(a .+?) +(\d+\.\d) +(\d+) +(\d+) *$", demo.text, re.MULTILINE)
    assert [step for step, *_ in rows] == [
        "a commit releases",
        "a merge promotes",
        "a broken version gets no alias",
        "a revert takes it out of git",
        "a revert rolls production back",
    ]
    assert all(int(sent) > 0 and failed == "0" for _, _, sent, failed in rows)
    assert "production → 20181005.0, staging → 20181005.0 failed: golden request of predict-digit" in demo.text
    assert "20181005.0  serves" not in demo.text
    assert not left_running(tmp_path)
    assert left_on_disk(tmp_path) == ["demo"]


def test_what_it_says_to_try_works_in_a_second_shell(environment: dict[str, str], tmp_path: Path) -> None:
    with started(environment) as demo:
        demo.await_line("Or let it show itself")
        commands = [line.strip() for line in demo.lines if line.startswith("      ")]
        script = "\n".join(["set -e", *commands])
        shell = subprocess.run(
            ["bash"], input=script, env=environment, cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        code = demo.finish(signal.SIGINT)
    assert shell.returncode == 0, shell.stderr
    assert re.findall(r'"digit": (\d)', shell.stdout) == ["2", "9", "2"]
    assert code == 130
    assert demo.lines[-1] == "pointsman: stopping\n"
    assert not left_running(tmp_path)
    assert left_on_disk(tmp_path) == ["demo"]


def test_each_url_it_prints_answers(environment: dict[str, str]) -> None:
    with started(environment) as demo:
        demo.await_line("Or let it show itself")
        urls = [line.split()[-1] for line in demo.lines if " serves as " in line]
        assert sum("URLs answer" in line for line in demo.lines[: demo.lines.index(demo.await_line("Try this"))]) == 1
        fetched = subprocess.run(
            ["curl", "--silent", "--fail", *(f"{url}/predict-digit" for url in urls)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert demo.finish(signal.SIGTERM) == 143
    assert len(urls) == 4
    assert fetched.returncode == 0
    assert fetched.stdout.count("Which digit is it?</h1>") == 4


@pytest.mark.parametrize("line", ["Pointsman demo", "repository:", "builds its images", "  starts"])
def test_an_interrupt_at_any_time_leaves_nothing(line: str, environment: dict[str, str], tmp_path: Path) -> None:
    with started(environment) as demo:
        demo.await_line(line)
        code = demo.finish(signal.SIGINT)
    assert code == 130, demo.text
    assert "Traceback" not in demo.text
    assert "interrupted" not in demo.text
    assert not left_running(tmp_path)
    assert left_on_disk(tmp_path) in ([], ["demo"])


def test_the_next_demo_replaces_a_killed_one(environment: dict[str, str], tmp_path: Path) -> None:
    with started(environment) as killed:
        killed.await_line("  serves as ")
        assert killed.finish(signal.SIGKILL) == -signal.SIGKILL
    with started(environment) as demo:
        place = demo.await_line("repository: ").split()[-1]
        demo.await_line("builds its images")
        assert demo.finish(signal.SIGTERM) == 143
    assert Path(place).name == "mnist"
    assert not left_running(tmp_path)
    assert left_on_disk(tmp_path) == ["demo"]


def test_the_copy_is_the_sample_with_a_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with scratch(keep=False) as copy:
        git = copy.git()
        assert git.text("status", "--porcelain") == ""
        assert git.text("rev-list", "--count", "HEAD") == "4"
        tracked = set(git.text("ls-files").splitlines())
        differing = {
            path for path in tracked if (copy.directory / path).read_bytes() != (sample_directory() / path).read_bytes()
        }
        first = git.text("show", "HEAD~1:pointsman/deployments/americas/aliases/staging.yaml")
    sample = subprocess.run(["git", "ls-files"], cwd=sample_directory(), capture_output=True, text=True, check=True)
    assert tracked == set(sample.stdout.splitlines())
    assert differing == {f"pointsman/deployments/{name}/deployment.yaml" for name in ("americas", "europe")}
    assert '"20181002.0"' in first
    assert not copy.directory.exists()


def test_demos_at_the_same_time_get_a_copy_each_and_kept_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with scratch(keep=True) as kept, scratch(keep=False) as other:
        assert kept.directory != other.directory
        assert kept.state.root != other.state.root
    with scratch(keep=False) as later:
        assert later.directory != kept.directory
    assert (kept.directory / "valohai.yaml").is_file()
    assert not other.directory.exists()
