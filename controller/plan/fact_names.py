"""How facts name what they are about: the one place that spells and reads their subjects and inputs.

The texts are stored in the record (docs/reference/record.md), so they stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from controller.model.desired import AliasRoutes, Workload
from controller.model.identity import content_hash

ACCESS = "access"
"""The wait of what asked for passwords; its input is the guards' name, so an alias of this name has other facts."""


def route_subject(owner: str, endpoint: str) -> str:
    """One URL: `owner` is the alias or the version that it belongs to."""
    return f"{owner}/{endpoint}"


def owner_and_endpoint(route: str) -> tuple[str, str]:
    """What `route_subject` was made of; neither name has a slash in it."""
    owner, _, endpoint = route.partition("/")
    return owner, endpoint


def version_url(workload: Workload) -> str:
    """The URL of the workload's own version: what its golden requests and its version route are about."""
    return route_subject(workload.version, workload.endpoint)


def for_capacity(waiting: str) -> str:
    """A wait for nodes and image pulls, which has its own clock beside that of the subject `waiting`."""
    return f"{waiting}/capacity"


def switch_input(workloads: Iterable[str]) -> str:
    """What a switch leads to, so that a fact about it expires when that changes."""
    return content_hash(sorted(workloads), 16)


def lost_record_input(alias: AliasRoutes) -> str:
    """What holds an alias after its record was lost: the version that its file names, whatever its settings are."""
    return f"lost-record {alias.version}"
