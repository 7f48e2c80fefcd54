"""The first process of an Engine's namespaces: `... STATE STOPPED GROUP [--size SIZE] [--network ADDRESS...] -- dockerd ...`.

Its standard input is a pipe that only the test's process holds open: the end of the one is the end of the other, however it
came. Everything below ends with this process. Control groups do not, so they are removed at the end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.cluster import control_groups

_RELAY = Path(__file__).with_name("relay.py")
_PATIENCE = 30.0


def main(state: str, stopped: str, group: str, *arguments: str) -> None:
    end = arguments.index("--")
    command = list(arguments[end + 1 :])
    given = list(arguments[:end])
    if "--size" in given:
        _mount_disk(Path(state) / "data", given.pop(given.index("--size") + 1))
    if "--network" in given:
        command = _within_network(Path(state), given[given.index("--network") + 1 :], command)
    threading.Thread(target=_end_with_owner, daemon=True).start()
    _run_while_wanted(command, Path(stopped))
    _end_all()
    deadline = time.monotonic() + _PATIENCE
    while not control_groups.is_removed(group) and time.monotonic() < deadline:
        time.sleep(0.02)


def _run_while_wanted(command: list[str], stopped: Path) -> None:
    """Until dockerd ends without the file that says that it will be back."""
    while True:
        dockerd = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        while os.waitpid(-1, 0)[0] != dockerd.pid:
            continue  # somebody's orphan: unless it is waited for, it looks alive to the next dockerd
        dockerd.returncode = 0
        if not stopped.exists():
            return
        while stopped.exists():
            with suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.02)


def _end_with_owner() -> None:
    sys.stdin.buffer.read()
    os.kill(-1, signal.SIGKILL)


def _end_all() -> None:
    """The kernel would do it too, but only after this process, and control groups can go only when they are empty."""
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _mount_disk(data: Path, size: str) -> None:
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(data)], check=True)


def _within_network(state: Path, reached: Sequence[str], command: list[str]) -> list[str]:
    """The command in a network of its own. A file that stands for this one lets relays listen here, or connect to here."""
    outside = state / "outside"
    outside.touch()
    subprocess.run(["mount", "--bind", "/proc/self/ns/net", str(outside)], check=True)
    relay = f"{sys.executable} -S -E {_RELAY}"
    proxy = state / "proxy"
    proxy.write_text(f'#!/bin/sh\nexec {relay} --listen-in {outside} "$@"\n')
    proxy.chmod(0o755)
    relays = "".join(f"{relay} --connect-in {outside} {_ends(address)} & " for address in reached)
    return ["unshare", "--net", "sh", "-c", f'ip link set lo up; {relays}exec "$@"', "sh", *command]


def _ends(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"-host-ip {host} -host-port {port} -container-ip {host} -container-port {port}"


if __name__ == "__main__":
    main(*sys.argv[1:])
