"""What the test cluster takes from Debian: `python3 -m tests.cluster.packages` prints the packages that are missing.

It runs before there is an environment, so it needs nothing but Python itself.
"""

from __future__ import annotations

import os
import shutil
import sys

# A program, or a file that is in no PATH, and the package it is in.
_PARTS = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "docker-registry": "docker-registry",
    "debootstrap": "debootstrap",
    "openssl": "openssl",
    "unshare": "util-linux",
    "ip": "iproute2",
}
# The Docker Engine is not the cluster's, but what the tests of the controller's own image need.
_BESIDE = {"dockerd": "docker.io"}


def missing(parts: dict[str, str]) -> list[str]:
    """The packages whose part is not on this machine."""
    return sorted(package for part, package in parts.items() if not _is_there(part))


def complaint() -> str:
    """What to install before a cluster can be built and started; empty if everything is there."""
    absent = " ".join(missing(_PARTS))
    return f"the test cluster needs what is not installed\nhint: apt-get install {absent}" if absent else ""


def _is_there(part: str) -> bool:
    """A user's PATH may leave the system's own folders out."""
    return shutil.which(part, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])) is not None


if __name__ == "__main__":
    sys.stdout.write("".join(f"{package}\n" for package in missing(_PARTS | _BESIDE)))
