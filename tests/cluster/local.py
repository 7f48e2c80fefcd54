"""A cluster of this machine: claimed, started, furnished, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import urllib3
import yaml

from tests.cluster import api, binaries, claims, images, network, packages
from tests.cluster.claims import Claim, Process
from tests.cluster.components import LATER
from tests.cluster.keeper import REMOVED
from tests.cluster.layout import NODE_NAME, Layout
from tests.cluster.node import is_ready

_ROOT = Path(__file__).parents[2]
_OBJECTS = Path(__file__).parent / "objects"
_PATIENCE = 120.0
_NAMESPACES = ("--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc")


class NotStarted(Exception):
    """The cluster did not come up; the message holds the end of the log that says why."""


def build() -> None:
    """Build and make what clusters are made of, where the cache does not hold it yet."""
    if said := packages.complaint():
        raise NotStarted(said)
    binaries.build_all()
    images.make_all()


@dataclass
class LocalCluster:
    """One that runs, with its parts to stop and start. `bound` ends it together with this process."""

    claim: Claim
    _node: subprocess.Popen[bytes] | None = None
    _keeper: subprocess.Popen[bytes] | None = None

    @property
    def layout(self) -> Layout:
        return self.claim.layout

    @classmethod
    def start(cls, index: int | None = None, state: Path | None = None, *, bound: bool = True) -> LocalCluster:
        """Build what is missing, then start; what was started is removed if that fails."""
        build()
        made = cls(claims.claim(index, state))
        try:
            made._begin(bound=bound)
            made._furnish()
            if not bound:
                claims.disown(made.claim)
        except BaseException:
            made.stop()
            raise
        return made

    def stop(self) -> None:
        """Every process, mount, address and rule goes with the node's namespaces; then its folder and its groups."""
        claims.remove(self.claim.index)
        if self._keeper is not None:
            self._keeper.communicate(REMOVED)
        if self._node is not None:
            self._node.wait()

    def halt(self, component: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop one component (see `components.py` for the names) and wait until it has ended."""
        (self.layout.stopped / component).write_text(how.name.removeprefix("SIG"))
        running = self.layout.running / component
        self._wait(lambda: not running.exists(), f"{component} to end")

    def resume(self, component: str) -> None:
        """Start one component again and wait until its process runs."""
        (self.layout.stopped / component).unlink(missing_ok=True)
        self._wait((self.layout.running / component).exists, f"{component} to start")

    @contextmanager
    def without(self, component: str, how: signal.Signals = signal.SIGTERM) -> Iterator[None]:
        """A component that is not there for a while."""
        self.halt(component, how)
        try:
            yield
        finally:
            self.resume(component)

    @contextmanager
    def silent_api(self) -> Iterator[None]:
        """An API server that answers nothing for a while, although it holds its connections and accepts new ones."""
        ready = f"{self.layout.api}/readyz"
        self._signal("kube-apiserver", "STOP")
        self._wait(lambda: not is_ready(ready), "the API server to fall silent")
        try:
            yield
        finally:
            self._signal("kube-apiserver", "CONT")
            self._wait(lambda: is_ready(ready), "the API server to answer again")
            (self.layout.stopped / "kube-apiserver").unlink()

    def _signal(self, component: str, name: str) -> None:
        """In one step: the node must not read a file that is empty yet."""
        made = self.layout.state / f"signal-{component}"
        made.write_text(name)
        made.replace(self.layout.stopped / component)

    def _begin(self, *, bound: bool) -> None:
        if bound:
            self._keeper = _keeper()
        with (self.layout.state / "node.log").open("wb") as log:
            command = ["unshare", *_NAMESPACES, sys.executable, "-m", "tests.cluster.node"]
            arguments = [str(self.layout.state), str(self.layout.index)]
            node = subprocess.Popen(
                [*command, *arguments], cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._node = node
        self.claim = replace(self.claim, node=Process.at(node.pid))
        self.claim.write()
        self._wait(lambda: _inner(node.pid) is not None, "the node's namespaces")
        network.connect(self.layout, _inner(node.pid) or 0)

    def _furnish(self) -> None:
        """Push the first images, make the kinds and the Gateway, then start what serves them."""
        layout = self.layout
        self._wait(lambda: is_ready(f"{layout.api}/readyz"), "the API server")
        self._wait(lambda: is_ready(f"{layout.registry}/v2/"), "the registry")
        for image in (images.pause(), images.base()):
            images.push(image, layout.registry)
        with api.opened(layout.admin) as cluster:
            for file in sorted(binaries.custom_resources().iterdir()):
                _apply(cluster, file.read_text())
            self._wait(lambda: _serves(cluster, "gateway.networking.k8s.io/v1"), "the Gateway API")
            self._wait(lambda: _serves(cluster, "traefik.io/v1alpha1"), "Traefik's kinds")
            for file in sorted(_OBJECTS.iterdir()):
                _apply(cluster, file.read_text().replace("NODE_ADDRESS", layout.node))
            for component in LATER:
                self.resume(component)
            self._wait(lambda: _is_true(cluster, f"/api/v1/nodes/{NODE_NAME}", "Ready"), "the node")
            gateway = "/apis/gateway.networking.k8s.io/v1/namespaces/gateways/gateways/pointsman"
            self._wait(lambda: _is_true(cluster, gateway, "Programmed"), "the Gateway")
        self._wait(lambda: all(_answers(url) for url in layout.gateways), "the gateway's replicas")

    def _wait(self, look: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not look():
            late = time.monotonic() > deadline
            if late or self._node is None or self._node.poll() is not None:
                log = (self.layout.state / "node.log").read_text(errors="replace")[-2000:]
                raise NotStarted(f"waited for {what}: {'too long' if late else 'the node has ended'}\n{log}")
            time.sleep(0.05)


def _keeper() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.cluster.keeper", str(os.getpid())]
    return subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, start_new_session=True)


def _inner(outer: int) -> int | None:
    """The node's first process, once it has a network of its own."""
    ours = Path("/proc/self/ns/net").readlink()
    for child in Path(f"/proc/{outer}/task/{outer}/children").read_text().split():
        with suppress(FileNotFoundError):
            if Path(f"/proc/{child}/ns/net").readlink() != ours:
                return int(child)
    return None


def _apply(cluster: api.Api, text: str) -> None:
    for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
        if document:
            cluster.apply(document)


def _serves(cluster: api.Api, version: str) -> bool:
    return cluster.ask("GET", f"/apis/{version}")[0] == 200


def _is_true(cluster: api.Api, path: str, condition: str) -> bool:
    try:
        status, found = cluster.ask("GET", path)
    except urllib3.exceptions.HTTPError:
        return False
    listed = found.get("status", {}).get("conditions", []) if status == 200 else []
    return any(known["type"] == condition and known["status"] == "True" for known in listed)


def _answers(url: str) -> bool:
    try:
        httpx2.get(url, timeout=5.0)
    except httpx2.TransportError:
        return False
    return True
