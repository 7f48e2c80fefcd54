"""A mirror that is polled: news is told, errors are told once, and neither the network nor grants are ever guessed at."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.loading.loader import load
from controller.source.elsewhere import GrantedRepositories
from controller.source.mirror import Mirror
from controller.source.polled import LONGEST_PAUSE, PolledMirror, pause
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract

WAIT = 60.0
WITH_A_FILE = """
- endpoint:
    name: greet
    image: python:3.11
    server-command: python serve.py
    files:
      - {name: model, path: m.bin}
"""
FILE = '{files: {greet: {model: {url: "%s", sha256: "%s"}}}}\n'


@pytest.fixture
def polled(repo: Repo, tmp_path: Path) -> Iterator[PolledMirror]:
    mirror = Mirror(f"file://{repo.path}", state=tmp_path / "mirrors", local=True)
    made = PolledMirror(mirror, interval=3600.0, file_prefixes=("https://models.example.com/public/",))
    yield made
    made.close()


class News:
    def __init__(self) -> None:
        self._told = threading.Semaphore(0)

    def __call__(self) -> None:
        self._told.release()

    def wait(self) -> bool:
        return self._told.acquire(timeout=WAIT)


def test_news_is_told_and_a_hint_makes_it_look(repo: Repo, polled: PolledMirror) -> None:
    news = News()
    assert polled.token() == ""
    polled.start(news)
    assert news.wait()
    first = polled.token()
    assert first.endswith(repo.head)
    repo.version("1")
    polled.look()
    assert news.wait()
    assert polled.token() != first
    assert set(polled.snapshot().versions) == {"1"}
    assert polled.is_alive


def test_what_was_verified_stays_while_the_host_is_down(repo: Repo, tmp_path: Path, polled: PolledMirror) -> None:
    news = News()
    polled.start(news)
    assert news.wait()
    polled.close()
    shutil.move(repo.path, tmp_path / "away")
    again = PolledMirror(Mirror(f"file://{repo.path}", state=tmp_path / "mirrors", local=True), interval=3600.0)
    assert again.token() == polled.token()
    assert again.snapshot().files
    again.start(news)
    _until(lambda: again.error is not None)
    assert again.token() == polled.token()
    again.close()


def test_a_repository_that_was_never_read_says_why(tmp_path: Path) -> None:
    polled = PolledMirror(Mirror(f"file://{tmp_path}/nowhere", state=tmp_path / "mirrors", local=True), interval=3600.0)
    polled.start(News())
    _until(lambda: polled.error is not None)
    assert "nowhere" in str(polled.error)
    assert polled.token() == ""
    polled.close()


@pytest.mark.parametrize(
    ("address", "granted"),
    [
        ("https://models.example.com/public/m.bin", True),
        ("https://models.example.com/private/m.bin", False),
        ("https://models.example.com.evil.example/public/m.bin", False),
        ("https://models.example.com/public/../private/m.bin", False),
        ("https://models.example.com/public/%2e%2e/private/m.bin", False),
        ("https://models.example.com:443/public/m.bin", True),
        ("https://models.example.com@evil.example/public/m.bin", False),
        ("https://169.254.169.254/latest/meta-data", False),
    ],
)
def test_an_address_that_is_not_granted_holds_its_version(
    repo: Repo, polled: PolledMirror, address: str, granted: bool
) -> None:
    repo.commit("a file", **{"valohai.yaml": WITH_A_FILE})
    repo.version("1", FILE % (address, "0" * 64))
    news = News()
    polled.start(news)
    assert news.wait()
    state = load(polled.snapshot())
    assert ("1" in state.versions) is granted
    assert [d.code for d in state.diagnostics if d.is_error] == ([] if granted else ["PM509"])


def test_no_later_text_of_a_version_and_no_old_commit_makes_its_address_granted(repo: Repo, polled: PolledMirror) -> None:
    old = repo.commit("a file", **{"valohai.yaml": WITH_A_FILE})
    refused = "https://models.example.com/private/m.bin"
    repo.version("1", FILE % (refused, "0" * 64))
    repo.version("1", FILE % ("https://models.example.com/public/m.bin", "0" * 64))
    repo.commit("no file", **{"valohai.yaml": WITH_A_FILE.partition("    files")[0]})
    text = FILE % (refused, "0" * 64)
    repo.version("2", f'{{commit: "{old}", {text.strip()[1:]}')
    news = News()
    polled.start(news)
    assert news.wait()
    state = load(polled.snapshot())
    assert not state.versions
    refusals = [str(d.subject) for d in state.diagnostics if d.code == "PM509"]
    assert refusals == ["version 1", "version 2"]


def test_code_comes_from_a_granted_repository_and_follows_it(repo: Repo, tmp_path: Path) -> None:
    code = Repo(tmp_path / "code")
    code.path.mkdir()
    code.git("init", "--quiet", "--initial-branch=trunk")
    code.commit("begin", **{"valohai.yaml": (repo.path / "valohai.yaml").read_text(), "serve.py": "1\n"})
    url = f"file://{code.path}"
    repo.commit(
        "code elsewhere", **{"pointsman/project.yaml": f"format: 1\nowner: o\nname: p\ncode: {{repository: '{url}'}}\n"}
    )
    repo.version("1", f'commit: "{code.head}"\n')
    granted = GrantedRepositories([url], state=tmp_path / "mirrors" / "code", local=True)
    mirror = Mirror(f"file://{repo.path}", state=tmp_path / "mirrors", local=True, repositories=granted)
    mirror.refresh()
    snapshot = mirror.snapshot()
    assert not load(snapshot).diagnostics
    tree = snapshot.versions["1"].code
    assert tree
    assert [entry.path for entry in mirror.code.entries(tree)] == ["serve.py", "valohai.yaml"]
    before = mirror.token()
    later = code.commit("more", **{"serve.py": "2\n"})
    repo.version("2", f'commit: "{later}"\n')
    assert mirror.refresh()
    assert mirror.token() != before
    assert set(load(mirror.snapshot()).versions) == {"1", "2"}
    mirror.close()


def test_code_from_a_repository_that_is_not_granted_holds_the_project(repo: Repo, tmp_path: Path) -> None:
    repo.commit(
        "elsewhere",
        **{"pointsman/project.yaml": "format: 1\nowner: o\nname: p\ncode: {repository: 'https://x.example/a.git'}\n"},
    )
    repo.version("1", f'commit: "{repo.head}"\n')
    granted = GrantedRepositories(["https://y.example/a.git"], state=tmp_path / "mirrors" / "code")
    mirror = Mirror(f"file://{repo.path}", state=tmp_path / "mirrors", local=True, repositories=granted)
    mirror.refresh()
    assert "PM507" in {d.code for d in load(mirror.snapshot()).diagnostics}
    mirror.close()


def test_pauses_grow_with_failures_and_stay_within_bounds() -> None:
    chance = random.Random(1)
    assert 48.0 <= pause(60.0, 0, chance) <= 72.0
    assert 96.0 <= pause(60.0, 1, chance) <= 144.0
    assert all(pause(60.0, n, chance) <= LONGEST_PAUSE * 1.2 for n in range(2000))
    assert pause(7200.0, 50, chance) <= 7200.0 * 1.2


def _until(met: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(int(WAIT / 0.02)):
        if met():
            return
        done.wait(0.02)
    raise AssertionError("it did not happen in time")
