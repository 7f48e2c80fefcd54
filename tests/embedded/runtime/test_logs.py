from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.embedded.runtime.logs import KEEP, LogDirectory, LogLine, tail

pytestmark = pytest.mark.contract


@pytest.fixture
def logs(tmp_path: Path) -> LogDirectory:
    return LogDirectory(tmp_path, limit=1000)


def test_lines_are_read_replica_by_replica_and_the_last_ones_on_demand(logs: LogDirectory) -> None:
    for time, name in enumerate(("web-0-a", "web-1-b")):
        file = logs.path("ns", "web", name)
        file.write_text(f"{name} one\n{name} two\n")
        os.utime(file, (time, time))
    assert [line.text for line in logs.read("ns", "web")] == ["web-0-a one", "web-0-a two", "web-1-b one", "web-1-b two"]
    assert list(logs.read("ns", "web", lines=1)) == [LogLine("web-0-a", "web-0-a two"), LogLine("web-1-b", "web-1-b two")]
    assert list(logs.read("ns", "other")) == []


def test_two_files_of_limited_size_hold_the_newest_lines_while_the_writer_goes_on(logs: LogDirectory) -> None:
    file = logs.path("ns", "web", "web-0-a")
    with file.open("a", buffering=1) as writer:
        for number in range(300):
            writer.write(f"line {number}\n")
            logs.rotate(file)
    assert sum(f.stat().st_size for f in file.parent.iterdir()) < 2200
    read = [line.text for line in logs.read("ns", "web")]
    assert read == [f"line {n}" for n in range(300 - len(read), 300)]
    assert len(read) > 90


def test_following_gives_whole_lines_of_replicas_that_come_later_too(logs: LogDirectory) -> None:
    first = logs.path("ns", "web", "web-0-a")
    first.write_text("before\n")
    looks = iter(range(100))

    def act() -> bool:
        look = next(looks)
        if look == 1:
            with first.open("a") as file:
                file.write("one\nhal")
        if look == 2:
            with first.open("a") as file:
                file.write("f\n")
            logs.path("ns", "web", "web-1-b").write_text("new\n")
        if look == 3:
            first.write_text("cut\n")
        return look == 5

    found = list(logs.follow("ns", "web", stop=act, pause=0.0))
    assert sorted(found, key=lambda line: line.replica) == [
        *(LogLine("web-0-a", text) for text in ("one", "half", "cut")),
        LogLine("web-1-b", "new"),
    ]


def test_the_tail_is_what_this_instance_said_last(tmp_path: Path) -> None:
    file = tmp_path / "log"
    assert tail(file) == ""
    file.write_text("earlier\n" + "".join(f"{n}\n" for n in range(500)))
    assert tail(file).splitlines() == [str(n) for n in range(420, 500)]
    assert tail(file, start=8 + 1885).splitlines() == ["499"]
    assert tail(file, start=10**6).splitlines()[-1] == "499"
    file.write_bytes(b"\xff" * 5000)
    assert len(tail(file)) == 2048


def test_the_oldest_of_many_ended_replicas_files_go_and_no_running_ones(logs: LogDirectory) -> None:
    for number in range(3 * KEEP):
        file = logs.path("ns", "web", f"web-0-{number}")
        file.write_text("x\n")
        os.utime(file, (number, number))
    running = {f"web-0-{number}" for number in range(2 * KEEP)}
    logs.prune("ns", "web", running)
    assert {line.replica for line in logs.read("ns", "web")} == {f"web-0-{number}" for number in range(3 * KEEP)}
    logs.prune("ns", "web", {"web-0-0"})
    assert {line.replica for line in logs.read("ns", "web")} == {"web-0-0", *(f"web-0-{n}" for n in range(2 * KEEP, 3 * KEEP))}


def test_of_more_than_the_limit_at_once_only_the_end_is_kept(logs: LogDirectory) -> None:
    file = logs.path("ns", "web", "web-0-a")
    file.write_text("".join(f"line {number}\n" for number in range(100_000)))
    logs.rotate(file)
    assert sum(f.stat().st_size for f in file.parent.iterdir()) <= 1000
    read = [line.text for line in logs.read("ns", "web")]
    assert read == [f"line {number}" for number in range(100_000 - len(read), 100_000)]
    assert len(read) > 80
    file.write_bytes(b"x" * 100_000)
    logs.rotate(file)
    assert sum(f.stat().st_size for f in file.parent.iterdir()) <= 1000


def test_what_workloads_printed_that_are_long_gone_goes(logs: LogDirectory, tmp_path: Path) -> None:
    for number, workload in enumerate(("running", "gone", "fresh")):
        file = logs.path(f"ns-{number}", workload, "web-0-a")
        file.write_text("x\n")
        if workload != "fresh":
            os.utime(file, (1, 1))
    logs.forget({("ns-0", "running")}, before=2.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ns-0", "ns-2"]
    assert [line.text for line in logs.read("ns-0", "running")] == ["x"]
