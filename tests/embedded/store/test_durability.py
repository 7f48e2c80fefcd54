"""What was acknowledged is there after any crash; what failed was never seen."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.embedded.store import EmbeddedStore
from controller.model.errors import Conflict, Stalled, Unavailable
from controller.model.identity import ObjectKey

pytestmark = pytest.mark.faults

# Acknowledges each write on standard output only after `apply` returned; several threads share batches.
WRITER = """
import sys, threading
from pathlib import Path
from controller.embedded.store import EmbeddedStore

store = EmbeddedStore(Path(sys.argv[1]))
def write(thread):
    for number in range(int(sys.argv[2]), 10**9):
        name = f"w{thread}-{number % 50}"
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "test"}}
        store.apply({**obj, "data": {"number": str(number), "filler": "x" * 2000}})
        sys.stdout.write(f"{name} {number}\\n")
        sys.stdout.flush()
for thread in range(4):
    threading.Thread(target=write, args=(thread,)).start()
"""


def config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "test"}, "data": data}


def pod(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "test"}, "spec": {}}


def key(name: str, kind: str = "ConfigMap") -> ObjectKey:
    return ObjectKey(kind, "test", name)


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file may grow beyond the size of the journal: writes fail as on a full disk (with EFBIG for ENOSPC)."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(file.stat().st_size for file in path.glob("objects-*.journal"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def written_until_killed(path: Path, start: int, lines: int) -> dict[str, int]:
    """The last acknowledged number by name of a writer that is killed after about so many writes."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(start)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
    pairs = (line.split() for line in acknowledged if line.endswith("\n"))
    return {name: int(number) for name, number in pairs}


def test_no_acknowledged_write_is_lost_by_kill(tmp_path: Path) -> None:
    expected: dict[str, int] = {}
    for attempt, lines in enumerate((1, 37, 150, 800)):
        expected.update(written_until_killed(tmp_path, attempt * 10**6, lines))
        with EmbeddedStore(tmp_path) as store:
            for name, number in expected.items():
                stored = store.get(key(name))
                assert stored is not None
                assert int(stored["data"]["number"]) >= number


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        store.apply(config_map("one", {"a": "1"}))
        store.apply(config_map("two", {"a": "1"}))
    (journal,) = tmp_path.glob("objects-*.journal")
    journal.write_bytes(journal.read_bytes()[:-7])
    with EmbeddedStore(tmp_path) as store:
        assert store.get(key("one")) is not None
        assert store.get(key("two")) is None


def test_damage_in_the_middle_is_refused(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        store.apply(config_map("one", {"a": "1"}))
        store.apply(config_map("two", {"a": "1"}))
    (journal,) = tmp_path.glob("objects-*.journal")
    journal.write_bytes(journal.read_bytes().replace(b'"one"', b'"0ne"'))
    with pytest.raises(Stalled, match=r"\.journal:2: damaged"):
        EmbeddedStore(tmp_path)


def test_a_rewrite_that_was_cut_off_is_ignored(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        store.apply(config_map("one", {"a": "1"}))
    (tmp_path / "objects-00000009.new").write_bytes(b"half")
    with EmbeddedStore(tmp_path) as store:
        assert store.get(key("one")) is not None
    assert len(list(tmp_path.iterdir())) == 1


def test_an_older_file_that_a_crash_left_is_ignored(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        store.apply(config_map("one", {"a": "1"}))
        (journal,) = tmp_path.glob("objects-*.journal")
        older = journal.read_bytes()
        store.apply(config_map("one", {"a": "2"}))
    (tmp_path / "objects-00000000.journal").write_bytes(older)
    with EmbeddedStore(tmp_path) as store:
        assert (store.get(key("one")) or {})["data"] == {"a": "2"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        before = store.apply(config_map("one", {"a": "1"}))
        with full_disk(tmp_path):
            with pytest.raises(Unavailable, match="cannot write"):
                store.apply(config_map("one", {"a": "2"}))
            with pytest.raises(Unavailable):
                store.delete(key("one"))
            assert store.get(key("one")) is before
            store.set_status(key("one"), {"kept": "in memory"})
        assert store.apply(config_map("one", {"a": "3"}))["data"] == {"a": "3"}
    with EmbeddedStore(tmp_path) as store:
        assert (store.get(key("one")) or {})["data"] == {"a": "3"}


def test_the_journal_is_shortened(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        store.apply(pod("one"))
        for number in range(60):
            store.apply(config_map("one", {"a": f"{number}" + "x" * 200_000}))
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 6_000_000
    with EmbeddedStore(tmp_path) as store:
        assert (store.get(key("one")) or {})["data"]["a"].startswith("59x")
        assert store.list("Pod").items == ()


def test_deletes_are_durable_and_versions_are_never_given_twice(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        store.apply(config_map("one", {"a": "1"}))
        store.delete(key("one"))
        last = store.apply(config_map("two", {"a": "1"}))
        listing = store.list("ConfigMap")
        seen = store.set_status(key("two"), {"a": 1})["metadata"]["resourceVersion"]
    with EmbeddedStore(tmp_path) as store:
        assert store.get(key("one")) is None
        again = store.get(key("two")) or {}
        assert again["metadata"]["uid"] == last["metadata"]["uid"]
        assert "status" not in again
        assert int(store.apply(config_map("two", {"a": "2"}))["metadata"]["resourceVersion"]) > int(seen)
        with pytest.raises(Conflict, match="410"):
            store.watch("ConfigMap", listing.resource_version)


def test_pods_are_not_kept(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        store.apply(pod("one"))
        assert store.get(key("one", "Pod")) is not None
    with EmbeddedStore(tmp_path) as store:
        assert store.get(key("one", "Pod")) is None


def test_two_cannot_open_the_same_store(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path), pytest.raises(Stalled, match="open already"):
        EmbeddedStore(tmp_path)


def test_many_writers_share_batches(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: store.apply(config_map(f"n{number}", {"a": "1"})), range(400)))
        (journal,) = tmp_path.glob("objects-*.journal")
        assert len(store.list("ConfigMap").items) == 400
        assert journal.read_bytes().count(b"\n") < 400, "every write had a line, and so an fsync, of its own"


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    watch = store.watch("ConfigMap", store.list("ConfigMap").resource_version, timeout=60)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(list, watch)
        store.close()
        assert waiting.result(timeout=60) == []
    with pytest.raises(Unavailable):
        store.apply(config_map("one", {}))
