"""One process owns a state directory; the others find it and talk to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from controller.embedded.lock import OwnerLock, owner_of
from controller.embedded.remote import RemoteStore
from controller.embedded.server import StoreServer
from controller.embedded.state_directory import StateDirectory, find_running, locate
from controller.embedded.store import EmbeddedStore
from controller.model.errors import Stalled, Unavailable, Waiting
from controller.model.identity import ObjectKey

pytestmark = pytest.mark.contract

OWNER = """
import sys, time
from pathlib import Path
from controller.embedded.lock import OwnerLock
from controller.embedded.server import StoreServer
from controller.embedded.store import EmbeddedStore

root = Path(sys.argv[1])
lock = OwnerLock(root / "lock").acquire()
server = StoreServer(EmbeddedStore(root / "store"), root / "socket")
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def owner(root: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", OWNER, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_a_second_owner_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with OwnerLock(tmp_path / "lock"):
        with pytest.raises(Stalled, match=f"process {os.getpid()} owns"):
            OwnerLock(tmp_path / "lock").acquire()
        assert owner_of(tmp_path / "lock") is not None
    assert owner_of(tmp_path / "lock") is None
    with OwnerLock(tmp_path / "lock"):
        pass


def test_a_killed_owner_leaves_nothing_locked(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        found = owner_of(tmp_path / "lock")
        assert found is not None
        assert found.pid == process.pid
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert owner_of(tmp_path / "lock") is None
        with (
            OwnerLock(tmp_path / "lock"),
            EmbeddedStore(tmp_path / "store") as store,
            StoreServer(store, tmp_path / "socket"),
        ):
            assert RemoteStore.at(tmp_path / "socket").list("Pod").items == ()


def test_a_damaged_lock_file_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": 1')
    assert owner_of(tmp_path / "lock") is None
    (tmp_path / "lock").write_text(f'{{"pid": {os.getpid()}, "started": "another time"}}')
    assert owner_of(tmp_path / "lock") is None


def test_a_server_that_dies_is_unavailable_at_once(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        remote = RemoteStore.at(tmp_path / "socket")
        watch = remote.watch("Pod", remote.list("Pod").resource_version, timeout=280)
        process.send_signal(signal.SIGKILL)
        with pytest.raises(Unavailable):
            next(watch)
        with pytest.raises(Unavailable):
            remote.get(ObjectKey("Pod", "a", "b"))


def test_the_controller_adds_verbs_of_its_own(tmp_path: Path) -> None:
    def wait(payload: Any) -> None:
        raise Waiting("not yet", after=3, hint="patience")

    def fail(payload: Any) -> None:
        raise KeyError("a bug")

    verbs = {"double": lambda payload: payload * 2, "wait": wait, "fail": fail}
    with EmbeddedStore(tmp_path / "store") as store, StoreServer(store, tmp_path / "socket", verbs):
        remote = RemoteStore.at(tmp_path / "socket")
        assert remote.call("double", 21) == 42
        with pytest.raises(Waiting) as waiting:
            remote.call("wait")
        assert (waiting.value.message, waiting.value.after, waiting.value.hint) == ("not yet", 3, "patience")
        with pytest.raises(Unavailable, match="failed to answer"):
            remote.call("fail")
        with pytest.raises(Stalled, match="no verb"):
            remote.call("unheard")


@pytest.mark.parametrize("sent", [b"not json\n", b"[1]\n", b'{"verb": "unheard"}\n', b'{"verb": "get"}\n', b"x" * 5_000_000])
def test_nonsense_is_answered_with_an_error_or_the_door(tmp_path: Path, sent: bytes) -> None:
    with EmbeddedStore(tmp_path / "store") as store, StoreServer(store, tmp_path / "socket") as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(server.path))
            try:
                client.sendall(sent)
                answer = client.makefile("rb").readline()
            except ConnectionError:
                answer = b""
        assert answer == b"" or b'"error"' in answer
        assert RemoteStore(server.path).list("Pod").items == ()


def test_many_clients_write_and_watch_at_once(tmp_path: Path) -> None:
    def write(client: int) -> list[str]:
        remote = RemoteStore.at(tmp_path / "socket")
        start = remote.list("ConfigMap").resource_version
        labels = {"client": f"c{client}"}
        for number in range(20):
            metadata = {"name": f"c{client}-{number}", "namespace": "test", "labels": labels}
            remote.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        events = islice(remote.watch("ConfigMap", start, labels=labels, timeout=60), 20)
        return [event.object["metadata"]["name"] for event in events]

    with EmbeddedStore(tmp_path / "store") as store, StoreServer(store, tmp_path / "socket"), ThreadPoolExecutor(8) as pool:
        for client, names in enumerate(pool.map(write, range(8))):
            assert names == [f"c{client}-{number}" for number in range(20)]


def test_a_long_path_gets_a_short_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with EmbeddedStore(deep / "store") as store:
        with StoreServer(store, deep / "socket") as server:
            assert server.path.is_relative_to(tempfile.gettempdir())
            assert server.path.stat().st_mode & 0o077 == 0
            assert RemoteStore.at(deep / "socket").list("Pod").items == ()
        assert not server.path.parent.exists()
        with pytest.raises(Unavailable):
            RemoteStore.at(deep / "socket")


def test_the_short_socket_of_a_killed_owner_goes(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with EmbeddedStore(deep / "store") as store:
        with StoreServer(store, deep / "socket") as server:
            left = server.path.parent
            named = (deep / "socket").read_bytes()
        left.mkdir()
        (deep / "socket").write_bytes(named)
        with StoreServer(store, deep / "socket"):
            assert not left.exists()


@pytest.mark.parametrize("content", ["notes.txt", "git/x"])
def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path, content: str) -> None:
    home = tmp_path / "home"
    (home / content).parent.mkdir(parents=True)
    (home / content).touch()
    (home / "letters").touch()
    home.chmod(0o755)
    with pytest.raises(Stalled, match="no state directory: it holds letters"):
        StateDirectory(home).create()
    assert home.stat().st_mode & 0o777 == 0o755


def test_the_state_directory_is_named_by_its_source(tmp_path: Path) -> None:
    source = tmp_path / "my project"
    source.mkdir()
    state = locate(source, explicit=None, xdg_state_home=tmp_path / "state")
    assert state.root.parent == tmp_path / "state" / "pointsman"
    assert state.root.name.startswith("my-project-")
    (tmp_path / "link").symlink_to(source)
    assert locate(tmp_path / "link", explicit=None, xdg_state_home=tmp_path / "state") == state
    assert locate(source, explicit=tmp_path / "x", xdg_state_home=tmp_path / "state").root == tmp_path / "x"
    assert state.create().root.stat().st_mode & 0o777 == 0o700


def test_a_running_controller_is_found_from_below_its_source(tmp_path: Path) -> None:
    below = tmp_path / "source" / "a" / "b"
    below.mkdir(parents=True)
    home = tmp_path / "state"
    state = locate(tmp_path / "source", explicit=None, xdg_state_home=home).create()
    assert find_running(below, xdg_state_home=home) is None
    with OwnerLock(state.lock):
        assert find_running(below, xdg_state_home=home) == state
        assert find_running(tmp_path / "source", xdg_state_home=home) == state
        assert find_running(tmp_path, xdg_state_home=home) is None


def test_who_comes_to_stay_waits_for_one_that_only_looks(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        threading.Timer(0.2, process.kill).start()
        with OwnerLock(tmp_path / "lock", patience=60.0):
            assert process.wait(60) == -signal.SIGKILL
