"""Processes, their families, the environment they run in and the port mapping inside it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.embedded.runtime.process.environment import PythonEnvironments
from controller.embedded.runtime.process.ports import PortPool
from controller.embedded.runtime.process.process_table import family, start_time
from controller.embedded.runtime.process.replica_process import ReplicaProcess, spawn
from controller.model.errors import Transient
from tests.embedded.runtime.cluster import eventually
from tests.embedded.runtime.conftest import kill_everything_below, running_below

pytestmark = pytest.mark.system

BIND = """
import json, socket, sys
def bound(family, kind, address, only_v6=0):
    with socket.socket(family, kind) as s:
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
        s.bind(address)
        return list(s.getsockname()[:2])
port, other = int(sys.argv[1]), int(sys.argv[2])
print(json.dumps([
    bound(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", port)),
    bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", port)),
    bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", other)),
]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    kill_everything_below(tmp_path)


def run(place: Path, command: str, record: list[int], ended: threading.Event | None = None) -> ReplicaProcess:
    environment = {"PATH": os.defpath, "POINTSMAN_REPLICA": str(place)}
    on_exit = (ended or threading.Event()).set
    return spawn(
        ["sh", "-c", command], cwd=place, environment=environment, log=place / "log", marker=str(place),
        record=record.append, on_exit=on_exit,
    )  # fmt: skip


def test_a_command_that_nobody_could_watch_never_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    pids: list[int] = []
    with pytest.raises(RuntimeError):
        run(place, "touch started; exec sleep 60", pids)
    assert start_time(pids[0]) is None
    assert not (place / "started").exists()


def test_the_record_is_written_before_the_command_runs(place: Path) -> None:
    seen: list[bool] = []
    process = spawn(
        ["touch", "ran"], cwd=place, environment={"PATH": os.defpath}, log=place / "log", marker=str(place),
        record=lambda _: seen.append((place / "ran").exists()), on_exit=lambda: None,
    )  # fmt: skip
    assert process.wait(60)
    assert (seen, process.exit_code, (place / "ran").exists()) == ([False], 0, True)


def test_a_record_that_cannot_be_written_keeps_the_command_from_running(place: Path) -> None:
    def fail(_: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        spawn(
            ["touch", "ran"], cwd=place, environment={"PATH": os.defpath, "POINTSMAN_REPLICA": str(place)}, log=place / "log",
            marker=str(place), record=fail, on_exit=lambda: None,
        )  # fmt: skip
    assert not (place / "ran").exists()
    assert running_below(place) == set()


def test_output_and_exit_code_are_the_commands_own(place: Path) -> None:
    ended = threading.Event()
    process = run(place, "echo out; echo err >&2; cat; kill -KILL $$", [], ended)
    assert ended.wait(60)
    assert process.exit_code == 128 + signal.SIGKILL
    assert (place / "log").read_text() == "out\nerr\n"


def test_what_a_leader_leaves_behind_ends_with_it(place: Path) -> None:
    process = run(place, "sleep 1000 & setsid sleep 1000 & exit 5", [])
    assert process.wait(60)
    assert process.exit_code == 5
    assert running_below(place) == set()


def test_a_family_is_its_session_and_whoever_carries_its_mark(place: Path) -> None:
    process = run(place, "sleep 1000 & setsid sleep 1001 & env -i sleep 1002 & wait", [])
    eventually(lambda: len(family(process.pid, str(place))) == 4)
    assert start_time(process.pid)
    process.terminate()
    assert process.wait(60)
    assert start_time(process.pid) is None


def test_python_binds_its_own_port_instead_of_the_declared_one(place: Path) -> None:
    environment = PythonEnvironments(place / "environments").prepare(None)
    declared, own, other = (PortPool().reserve() for _ in range(3))
    variables = {"PATH": f"{environment / 'bin'}:{os.defpath}", "POINTSMAN_PORTS": f"{declared}:{own}"}
    # a child of a child, with a sitecustomize of its own
    (place / "sitecustomize.py").write_text("import builtins; builtins.customized = True")
    (place / "bind.py").write_text("assert customized\n" + BIND)
    shell = f'exec python -c \'import subprocess; subprocess.run(["python3", "bind.py", "{declared}", "{other}"])\''
    variables["PYTHONPATH"] = str(place)
    found = subprocess.run(["sh", "-c", shell], cwd=place, env=variables, capture_output=True, check=True)
    assert json.loads(found.stdout) == [["127.0.0.1", own], ["127.0.0.1", declared], ["127.0.0.1", other]]


def test_environments_hold_their_packages_once_and_alone(place: Path) -> None:
    packages = place / "packages"
    packages.mkdir()
    (packages / "only_here.py").write_text("print('found')")
    environments = PythonEnvironments(place / "environments")
    first, again, bare = environments.prepare(packages), environments.prepare(packages), environments.prepare(None)
    assert first == again != bare
    ask = [str(first / "bin/python"), "-c", "import only_here, sys; print(sys.prefix)"]
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == f"found\n{first}\n"
    refused = subprocess.run([str(bare / "bin/python"), "-c", "import pytest"], capture_output=True, check=False)
    assert refused.returncode == 1


def test_environments_asked_for_at_once_are_whole(place: Path) -> None:
    environments = PythonEnvironments(place / "environments")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(environments.prepare(None))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(list((place / "environments").iterdir())) == 1


def test_ports_are_given_to_one_holder_and_come_back() -> None:
    first = PortPool().reserve()
    pool = PortPool(first, first + 2)
    ports = [pool.reserve() for _ in range(3)]
    assert sorted(ports) == [first, first + 1, first + 2]
    with pytest.raises(Transient, match="no free port"):
        pool.reserve()
    pool.release([first])
    assert pool.reserve() == first
    pool.release(ports)
    pool.claim([first])
    with socket.create_server(("127.0.0.1", first + 1)):
        assert pool.reserve() == first + 2
