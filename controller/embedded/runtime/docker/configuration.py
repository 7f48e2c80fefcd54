"""What a container is made of, as the Engine's API takes it (https://docs.docker.com/reference/api/engine/). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.embedded.runtime.instance import NotStarted
from controller.embedded.runtime.specification import ReplicaSpec
from controller.embedded.runtime.variables import expand
from controller.model.images import CODE_DIRECTORY
from controller.render.metadata import FILE
from controller.render.quantity import amount

LOOPBACK = "127.0.0.1"
GPU = "nvidia.com/gpu"

_MEASURES = frozenset({"cpu", "memory", "ephemeral-storage"})
_SHARES, _LEAST_SHARES = 1024, 2
"""One core's weight, and the kernel's least: as kubelet counts them."""

_PERIOD, _LEAST_QUOTA = 100_000, 1000
"""Microseconds, as kubelet has them. The Engine refuses `NanoCpus` above what the machine has, but not such a quota."""

_LOG = {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}}
"""A driver that can be read again, whatever the Engine's own default is; its copy is what lasts."""


def port_name(spec: ReplicaSpec) -> str:
    """The published port, in the Engine's words."""
    return f"{spec.port}/tcp"


def configuration(
    spec: ReplicaSpec, *, hostname: str, labels: Mapping[str, str], variables: Mapping[str, str], metadata: str | None
) -> dict[str, Any]:
    """The body of `POST /containers/create`. `metadata` is the path of `valohai-metadata.json` on this machine.

    Raises `NotStarted` for what no Engine can give.
    """
    return {
        "Image": spec.image.rpartition("@")[2],
        "Hostname": hostname,
        "Entrypoint": [expand(part, variables) for part in spec.command],
        "Cmd": [],
        "Env": [f"{name}={_text(name, value)}" for name, value in variables.items()],
        "WorkingDir": spec.directory,
        "ExposedPorts": {port_name(spec): {}},
        "Labels": dict(labels),
        "Healthcheck": {"Test": ["NONE"]},  # as on Kubernetes: the Deployment's own probe counts
        "HostConfig": {
            "Init": True,  # docs/decisions/0020
            "PortBindings": {port_name(spec): [{"HostIp": LOOPBACK, "HostPort": ""}]},
            "RestartPolicy": {"Name": "no"},
            "LogConfig": _LOG,
            "Binds": _binds(metadata),
            **_security(spec.security),
            **_resources(spec),
        },
    }


def _text(name: str, value: str) -> str:
    """A Secret may hold bytes, which the Engine would replace without a word, or cut off."""
    if "\0" in value or value.encode(errors="replace").decode() != value:
        problem = f"the value of the variable {name} is no text, and a container takes no other: make it base64"
        raise NotStarted("CreateContainerConfigError", problem)
    return value


def _binds(metadata: str | None) -> list[str]:
    """The file, read-only; `z` lets containers read it where SELinux asks for a label, and is nothing elsewhere."""
    if metadata is None:
        return []
    if ":" in metadata:
        raise NotStarted("CreateContainerError", f"Docker cannot mount {metadata}: name a state directory without `:`")
    return [f"{metadata}:{CODE_DIRECTORY}/{FILE}:ro,z"]


def _security(context: Mapping[str, Any]) -> dict[str, Any]:
    """The Engine's default seccomp profile is Kubernetes' `RuntimeDefault`."""
    capabilities = context.get("capabilities") or {}
    found = {"CapDrop": list(capabilities.get("drop") or ()), "CapAdd": list(capabilities.get("add") or ())}
    return {**found, "SecurityOpt": ["no-new-privileges:true"] if context.get("allowPrivilegeEscalation") is False else []}


def _resources(spec: ReplicaSpec) -> dict[str, Any]:
    """Limits that the kernel enforces, requests as weight and soft limit; no swap, as on Kubernetes."""
    found: dict[str, Any] = {}
    if memory := spec.limits.get("memory"):
        found |= {"Memory": int(amount(memory)), "MemorySwap": int(amount(memory))}
    if cpu := spec.limits.get("cpu"):
        found |= {"CpuPeriod": _PERIOD, "CpuQuota": max(_LEAST_QUOTA, round(amount(cpu) * _PERIOD))}
    if memory := spec.requests.get("memory"):
        found["MemoryReservation"] = int(amount(memory))
    if cpu := spec.requests.get("cpu"):
        found["CpuShares"] = max(_LEAST_SHARES, int(amount(cpu) * _SHARES))
    return {**found, **_devices(spec.limits)}


def _devices(limits: Mapping[str, str]) -> dict[str, Any]:
    asked = {name: int(amount(number)) for name, number in limits.items() if name not in _MEASURES and amount(number)}
    foreign = sorted(set(asked) - {GPU})
    if foreign:
        raise NotStarted(
            "CreateContainerError", f"a Docker Engine gives no device `{foreign[0]}`: only `{GPU}` can be asked for"
        )
    return {"DeviceRequests": [{"Count": asked[GPU], "Capabilities": [["gpu"]]}]} if asked else {}
