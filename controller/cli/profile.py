"""The embedded cluster as rendering sees it."""

from __future__ import annotations

import platform
from typing import Any

from controller.cli.runtime.kept import KeptRuntime, kept_runtime
from controller.embedded.cluster import DEFAULT_PORT
from controller.embedded.state_directory import StateDirectory
from controller.images.host import host_base
from controller.model.desired import TargetProfile

DRAIN_SECONDS = 2.0
"""The gateway stops sending the moment a route moves; what is in flight then is also waited for when a replica ends."""


def embedded_profile(state: StateDirectory, url: str | None = None, runtime: KeptRuntime | None = None) -> TargetProfile:
    """The profile of the embedded target; without `url` and `runtime`, those that it has now or had last."""
    kept = runtime or kept_runtime(state)
    return TargetProfile(
        name="embedded",
        kind="embedded",
        url=url or f"http://127.0.0.1:{kept_port(state)}",
        gateway="pointsman",
        gateway_namespace="pointsman",
        gateway_class="pointsman.dev/embedded",
        min_ready_seconds=1,
        drain_seconds=DRAIN_SECONDS,
        **(_containers(kept) if kept.is_docker else _processes()),
    )


def _containers(kept: KeptRuntime) -> dict[str, Any]:
    return {"platform": kept.platform, "registry": kept.registry}


def _processes() -> dict[str, Any]:
    return {"platform": f"{platform.system().lower()}/{platform.machine()}", "base_platform": host_base()}


def kept_port(state: StateDirectory) -> int:
    """The port that the gateway keeps between runs; the default before the first one."""
    try:
        return int(state.gateway_port.read_text())
    except (OSError, ValueError):
        return DEFAULT_PORT
