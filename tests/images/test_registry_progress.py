"""What a long upload says of itself, and how it ends when it is given up."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from faulty_proxy import Fault, running_proxy
from image_examples import CODE, in_code
from olareg import running_olareg
from registry_images import PROJECT, builder_for, spec_for
from registry_server import Registry, running_registry
from test_builder_faults import wait_until

from controller.images.registry.auth import Credentials
from controller.images.registry.known import Known
from controller.images.registry.push import Blob, Pusher, Tell
from controller.images.registry.reference import parse_location
from controller.images.registry.session import Session
from controller.model.errors import Transient

pytestmark = pytest.mark.faults

LARGE = 2 << 30
BLOCK = bytes(1 << 20)
PUSH = Path(__file__).with_name("push_once.py")


def zeros() -> Iterator[bytes]:
    return iter([BLOCK] * (LARGE // len(BLOCK)))


@pytest.fixture
def push() -> Iterator[Callable[[str, Tell], str]]:
    """Pushes one large blob to the registry at a URL."""
    sessions: list[Session] = []

    def started(url: str, tell: Tell) -> str:
        location = parse_location(url)
        sessions.append(Session(location, location.host, Credentials(), first_pause=0.01))
        blob = Blob(f"sha256:{'a' * 64}", LARGE, zeros)
        return Pusher(sessions[-1], PROJECT, "bases", Known(), tell).push([blob], b"{}", "v-1")

    yield started
    for session in sessions:
        session.close()


def test_bytes_are_told_by_the_thread_that_builds(registry: Registry, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    threads: set[threading.Thread] = set()
    halfway = threading.Event()

    def listen(what: str, done: int, total: int) -> None:
        threads.add(threading.current_thread())
        told.append((what, done, total))
        if what.startswith("pushing") and 0 < done < total:
            halfway.set()

    with running_proxy(registry.address) as proxy:
        # The configuration has the fewest bytes; until a part of the others is told, no blob is finished after the first.
        proxy.choose = lambda method, path, before: Fault(held=halfway) if method == "POST" and before else None
        through = Registry(proxy.url.removeprefix("http://"), registry.storage, registry.process)
        with builder_for(through, tmp_path / "cache") as builder:
            builder.build(spec_for(through, files={"m.bin": in_code("models/net.bin")}, name="predict"), CODE, listen)
    pushing = [(done, total) for what, done, total in told if what == "pushing predict" and total]
    assert len({total for _, total in pushing}) == 1
    assert pushing[-1][0] == pushing[-1][1] > 1_280_000
    assert threads == {threading.current_thread()}, "a terminal shows one bar per thread"


def test_terminal_shows_an_upload(registry: Registry, tmp_path: Path) -> None:
    shown = threading.Event()
    with running_proxy(registry.address) as proxy:
        proxy.choose = lambda method, path, before: Fault(held=shown) if method == "PUT" and "/blobs/" in path else None
        command = [sys.executable, str(PUSH), proxy.url.removeprefix("http://"), str(tmp_path / "cache"), "shown", "--progress"]
        ours, its = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=its, env=environment)
        os.close(its)
        seen = ""
        try:
            for text in _shown_on(ours):
                seen += text
                if re.search(r"build: pushing v-\w+", seen):
                    shown.set()
            out, _ = process.communicate(timeout=60)
        finally:
            shown.set()
            process.kill()
    assert shown.is_set()
    assert out.startswith(b"sha256:"), seen


def _shown_on(terminal: int) -> Iterator[str]:
    """What is written there until nobody is left who could."""
    with suppress(OSError):
        while part := os.read(terminal, 1 << 16):
            yield part.decode(errors="replace")
    os.close(terminal)


@pytest.mark.parametrize("running", [running_registry, running_olareg], ids=["distribution", "olareg"])
def test_large_upload_that_is_given_up_is_cancelled(
    running: Callable[[Path], AbstractContextManager[Registry]], push: Callable[[str, Tell], str], tmp_path: Path
) -> None:
    def give_up(done: int, total: int) -> None:
        assert done < LARGE // 2, "it was not given up when that was asked for"
        if done > 64 << 20:
            raise Transient("given up")

    with running(tmp_path / "registry") as registry, running_proxy(registry.address) as proxy:
        with pytest.raises(Transient, match="given up"):
            push(proxy.url, give_up)
        assert [method for method, path in proxy.seen if "/uploads/" in path] == ["POST", "PUT", "DELETE"]
        assert registry.tags(PROJECT) == []
        if running is running_olareg:
            # distribution 2.8 cannot cancel what was cut inside a request: it removes that by itself after a week.
            wait_until(lambda: registry.uploads(PROJECT) == [], 60)


def test_giving_up_does_not_wait_for_a_registry_that_is_silent(
    registry: Registry, push: Callable[[str, Tell], str], tmp_path: Path
) -> None:
    answered, failures = threading.Event(), []

    def attempt(url: str) -> None:
        try:
            push(url, give_up)
        except Transient as error:
            failures.append(str(error))

    with running_proxy(registry.address) as proxy:

        def give_up(done: int, total: int) -> None:
            if any(method == "PUT" for method, _ in proxy.seen):
                raise Transient("given up")

        proxy.choose = lambda method, path, before: Fault(held=answered) if method == "PUT" else None
        thread = threading.Thread(target=attempt, args=(proxy.url,))
        thread.start()
        try:
            thread.join(60)
            assert not thread.is_alive(), "the registry would have had five minutes to answer"
        finally:
            answered.set()
            thread.join()
    assert failures == ["given up"]
