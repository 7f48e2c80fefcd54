"""The image that a version's layers lie on, as its registry describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.images.layers import ROOT

_NUMERIC = re.compile(r"(\d+)(?::(\d+))?")
_FIRST_FREE_PORT = 1024
_ROOT_USERS = ("", "0", "root")


@dataclass(frozen=True, slots=True)
class Base:
    """A base's configuration and layers; empty for this machine's Python. `digest` is what its name led to."""

    digest: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    layers: Sequence[Mapping[str, Any]] = ()

    @property
    def run(self) -> Mapping[str, Any]:
        """How a container of it runs: the `config` of its configuration."""
        return self.configuration.get("config") or {}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it sets."""
        return dict(item.partition("=")[::2] for item in self.run.get("Env") or ())

    @property
    def user(self) -> str:
        """Who its processes run as, as written; `root` where it says nothing."""
        user = str(self.run.get("User") or "")
        return "root" if user.partition(":")[0] in _ROOT_USERS else user

    @property
    def owner(self) -> tuple[int, int]:
        """Who must own the code directory so that its server can write there; root where only a name is known."""
        numbers = _NUMERIC.fullmatch(self.user)
        return (int(numbers[1]), int(numbers[2] or 0)) if numbers else ROOT

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of it does not work as its author may expect."""
        found = []
        if self.run.get("OnBuild"):
            found.append("the base image has ONBUILD instructions, which are not carried out")
        if self.user != "root" and self.owner == ROOT:
            found.append(
                f"the base image runs as {self.user!r}: only a numeric user can be given the code directory to write to"
            )
        return tuple(found)


def port_complaint(port: int, security: str) -> str | None:
    """Why a server may not be able to listen on `port` under a security profile; None where it can.

    Both profiles drop every capability, and containerd before 2.0 lets nobody without `NET_BIND_SERVICE` use a port below
    1024 (https://github.com/containerd/containerd/blob/main/docs/cri/config.md, `enable_unprivileged_ports`).
    """
    if port >= _FIRST_FREE_PORT or security == "none":
        return None
    return f"port {port} may be refused to the endpoint by the security profile `{security}`; use one of 1024 or more"


def restricted_complaint(user: str) -> str | None:
    """Why Kubernetes' `restricted` profile refuses an image that runs as `user`; None where it does not.

    The kubelet cannot verify `runAsNonRoot` for a name (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
    """
    if user == "root":
        return "the image runs as root, which the security profile `restricted` refuses; use a base with a numeric USER"
    if not _NUMERIC.fullmatch(user):
        return f"the image runs as {user!r}; the security profile `restricted` needs a base with a numeric USER"
    return None
