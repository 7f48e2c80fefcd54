"""The first process of a node: `python -m tests.cluster.node STATE INDEX` in pid, mount and network namespaces of its own.

It starts one component after the other and starts again what ends. When it is killed, the kernel ends everything it started and
takes away every mount, bridge, route and firewall rule. A component is stopped by a file in `Layout.stopped`.
"""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.cluster import credentials
from tests.cluster.components import LATER, Component, components
from tests.cluster.layout import Layout

_PATIENCE = 120.0
_LOOK_AGAIN = 0.05
_START_AGAIN = 1.0
# What the components would leave on this machine; below the state folder it goes with the cluster.
_OWN_FOLDERS = ("/run", "/var/lib", "/var/log")


def main(state: str, index: str) -> None:
    layout = Layout(int(index), Path(state))
    for folder in (layout.settings, layout.logs, layout.stopped, layout.running):
        folder.mkdir(parents=True, exist_ok=True)
    for name in LATER:
        (layout.stopped / name).write_text("TERM")
    _own_mounts(layout)
    credentials.write(layout)
    _wait(lambda: _has_address(layout.gateway_addresses[-1]), "the network")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Supervisor(layout, components(layout)).run()


def _own_mounts(layout: Layout) -> None:
    """The namespace began with private mounts; pods need those made later to be shared among themselves."""
    if any(layout.state.is_relative_to(name) for name in _OWN_FOLDERS):
        raise SystemExit(f"the state cannot be at {layout.state}: the node has its own {', '.join(_OWN_FOLDERS)}")
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    for name in _OWN_FOLDERS:
        folder = layout.state / name.lstrip("/")
        folder.mkdir(parents=True)
        subprocess.run(["mount", "--bind", str(folder), name], check=True)


def _has_address(address: str) -> bool:
    shown = subprocess.run(["ip", "-brief", "address"], capture_output=True, text=True, check=True).stdout
    return f" {address}/" in shown


@dataclass
class Supervisor:
    """Keeps running what is not stopped."""

    layout: Layout
    components: tuple[Component, ...]
    pids: dict[str, int] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        for component in self.components:
            if not self._stopped(component):
                self._start(component)
                _wait(lambda component=component: self._ready(component), component.name)  # type: ignore[misc]
        while True:
            self._reap()
            for component in self.components:
                self._attend(component)
            time.sleep(_LOOK_AGAIN)

    def _attend(self, component: Component) -> None:
        pid, stopped = self.pids.get(component.name), self._stopped(component)
        if stopped and pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.Signals[f"SIG{stopped}"])
        elif not stopped and pid is None and time.monotonic() >= self.not_before.get(component.name, 0.0):
            self._start(component)

    def _stopped(self, component: Component) -> str:
        """The signal's name, or nothing."""
        try:
            return (self.layout.stopped / component.name).read_text().strip() or "TERM"
        except FileNotFoundError:
            return ""

    def _ready(self, component: Component) -> bool:
        self._reap()
        if component.name not in self.pids:
            said = (self.layout.logs / f"{component.name}.log").read_text(errors="replace")[-1500:]
            raise SystemExit(f"{component.name} ended at its start:\n{said}")
        return is_ready(component.ready)

    def _start(self, component: Component) -> None:
        log = str(self.layout.logs / f"{component.name}.log")
        program = shutil.which(component.command[0])
        if program is None:
            raise SystemExit(f"{component.command[0]} is not installed: see tests/cluster/packages.py")
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        # Traefik outside a pod is told by this variable alone where its cluster is.
        environment = {**os.environ, "KUBECONFIG": str(self.layout.admin)}
        self.pids[component.name] = os.posix_spawn(program, component.command, environment, file_actions=actions, setsid=True)
        (self.layout.running / component.name).touch()

    def _reap(self) -> None:
        """As the first process it gets the orphans of all others too."""
        for pid, status in _ended():
            for name in [name for name, running in self.pids.items() if running == pid]:
                print(f"{name} ended with {os.waitstatus_to_exitcode(status)}", flush=True)
                del self.pids[name]
                self.not_before[name] = time.monotonic() + _START_AGAIN
                (self.layout.running / name).unlink(missing_ok=True)


def _ended() -> Iterable[tuple[int, int]]:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended


def is_ready(ready: str) -> bool:
    """A socket that is there, a URL that answers 200, or nothing to wait for."""
    if not ready:
        return True
    if ready.startswith("unix://"):
        return Path(ready.removeprefix("unix://")).is_socket()
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    try:
        return httpx2.get(ready, verify=trusting, timeout=5.0).status_code == 200
    except httpx2.TransportError:
        return False


def _wait(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not look():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} is not there within {_PATIENCE:.0f} s")
        time.sleep(_LOOK_AGAIN)


if __name__ == "__main__":
    main(*sys.argv[1:])
