"""Git is fed and read while other threads start programs, as the process runtime does all the time."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator

import pytest

from controller.source.git import Git
from tests.source.conftest import Repo

pytestmark = pytest.mark.system


@pytest.fixture
def programs() -> Iterator[None]:
    """Threads that start one program after the other; each child holds copies of all pipes until it executes."""
    stop = threading.Event()

    def start() -> None:
        while not stop.is_set():
            subprocess.run(["true"], preexec_fn=lambda: None, check=True)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


@pytest.mark.usefixtures("programs")
def test_a_program_started_elsewhere_does_not_end_an_exchange(repo: Repo) -> None:
    git = Git(repo.path)
    answers = {git.run("cat-file", "--batch-check", stdin=b"HEAD\n") for _ in range(100)}
    assert len(answers) == 1
