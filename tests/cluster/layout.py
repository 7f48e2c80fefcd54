"""Where a test cluster keeps what, and which addresses it has.

A cluster is one node in namespaces of its own, so that several use the same ports; only its number tells them apart.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

API_PORT = 6443
REGISTRY_PORT = 5000
GATEWAY_PORT = 8000
NODE_NAME = "node1"
SERVICES = "10.96.0.0/16"
PULL_FROM = f"127.0.0.1:{REGISTRY_PORT}"
INDICES = range(1, 10)
# Held while clusters are claimed, tidied and removed; forgotten at a reboot, as the clusters are.
CLAIMS = Path("/run/pointsman-test-clusters")


def cache() -> Path:
    """What is built once per machine."""
    named = os.environ.get("POINTSMAN_TEST_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "pointsman-test-cluster"


@dataclass(frozen=True)
class Layout:
    """One cluster's addresses as this machine sees them, and its folders."""

    index: int
    state: Path

    @property
    def link(self) -> IPv4Network:
        """Between this machine (.1) and the node (.2; .3 is the second gateway replica's)."""
        return IPv4Network(f"10.99.{self.index}.0/29")

    @property
    def host(self) -> str:
        return str(self.link[1])

    @property
    def node(self) -> str:
        return str(self.link[2])

    @property
    def gateway_addresses(self) -> tuple[str, str]:
        return str(self.link[2]), str(self.link[3])

    @property
    def pods(self) -> IPv4Network:
        return IPv4Network(f"10.{240 + self.index}.0.0/16")

    @property
    def device(self) -> str:
        return f"pointsman{self.index}"

    @property
    def cgroup(self) -> str:
        """Each cluster's pods are below a group of its own: a kubelet ends what it does not know in its group."""
        return f"pointsman-test-{self.index}"

    @property
    def api(self) -> str:
        return f"https://{self.node}:{API_PORT}"

    @property
    def registry(self) -> str:
        return f"http://{self.node}:{REGISTRY_PORT}"

    @property
    def gateways(self) -> tuple[str, ...]:
        return tuple(f"http://{address}:{GATEWAY_PORT}" for address in self.gateway_addresses)

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def settings(self) -> Path:
        return self.state / "settings"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def audit(self) -> Path:
        """A line of JSON for each request that neither Kubernetes itself nor an administrator has sent."""
        return self.logs / "audit.log"

    @property
    def stopped(self) -> Path:
        """A file here, named like a component and holding a signal's name, stops that component until it is removed."""
        return self.state / "stopped"

    @property
    def running(self) -> Path:
        """A file here, named like a component, says that it runs."""
        return self.state / "running"

    @property
    def admin(self) -> Path:
        return self.state / "admin.kubeconfig"

    @property
    def node_account(self) -> Path:
        return self.state / "kubelet.kubeconfig"
