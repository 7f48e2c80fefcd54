"""The endpoints on a target whose output may be asked for, and which of them a person means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import click

from controller.cli.reach.opening import Reached, reach
from controller.cli.reach.options import Where
from controller.loading.schema_problems import did_you_mean
from controller.model import labels
from controller.model.errors import PointsmanError, Stalled
from controller.model.identity import UnitKey
from controller.model.objects import Object, annotation, at
from controller.model.routes import backend_of

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LogChoice:
    """`segment` is a version or an alias, as in the URL."""

    deployment: str
    segment: str
    endpoint: str
    namespace: str
    workload: str

    def __str__(self) -> str:
        return f"{self.deployment}/{self.segment}/{self.endpoint}"

    def fits(self, parts: Sequence[str]) -> bool:
        """Whether the given names are among its own, in order; or its workload's name alone."""
        own = iter((self.deployment, self.segment, self.endpoint))
        return all(part in own for part in parts) or list(parts) == [self.workload]


def log_choices(reached: Reached) -> tuple[LogChoice, ...]:
    """Every endpoint by each of its names. A version that has several workloads means its newest one."""
    running = sorted(_concerning(reached, "Deployment"), key=_made)
    versions = {str(choice): choice for choice in _of_workloads(running)}
    aliases = (choice for route in _concerning(reached, "HTTPRoute") for choice in _of_alias(route))
    return tuple(sorted([*versions.values(), *aliases], key=str))


def choose(choices: Sequence[LogChoice], text: str) -> LogChoice:
    """The one that is meant. Raises Stalled that lists what fits, or what is nearest."""
    parts = [part for part in text.split("/") if part]
    found = [choice for choice in choices if choice.fits(parts)]
    if len({choice.workload for choice in found}) == 1:
        return found[0]
    if not choices:
        raise Stalled("nothing runs or ran here", hint="pointsman status")
    if not found:
        hint = did_you_mean(text, _names(choices)) or _listed(choices)
        raise Stalled(f"nothing that runs or ran here is called `{text}`", hint=hint)
    said = f"`{text}` may be" if parts else "there are"
    raise Stalled(f"{said} {len(found)} endpoints", hint=_listed(found))


def complete_choices(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The full names of all endpoints; nothing where they cannot be read."""
    try:
        with reach(Where()) as reached:
            names = {str(choice) for choice in log_choices(reached)}
    except PointsmanError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def _concerning(reached: Reached, kind: str) -> Iterator[Object]:
    """Ours of a kind that this command is about: a cluster may hold other projects too."""
    for obj in reached.client.list(kind, labels={labels.MANAGED_BY: labels.FIELD_MANAGER}).items:
        with suppress(ValueError):
            if reached.concerns(UnitKey.parse(annotation(obj, labels.UNIT_NAME) or "")):
                yield obj


def _names(choices: Iterable[LogChoice]) -> set[str]:
    return {name for choice in choices for name in (str(choice), choice.endpoint)}


def _listed(choices: Sequence[LogChoice]) -> str:
    more = f", and {len(choices) - _MOST_SHOWN} more" if len(choices) > _MOST_SHOWN else ""
    return f"choose: {', '.join(map(str, choices[:_MOST_SHOWN]))}{more}"


def _of_workloads(deployments: Iterable[Object]) -> Iterator[LogChoice]:
    for obj in deployments:
        version, endpoint = annotation(obj, labels.VERSION), annotation(obj, labels.ENDPOINT)
        if version and endpoint:
            yield LogChoice(_deployment(obj), version, endpoint, obj["metadata"]["namespace"], obj["metadata"]["name"])


def _of_alias(route: Object) -> Iterator[LogChoice]:
    alias, endpoint, workload = annotation(route, labels.ALIAS), annotation(route, labels.ENDPOINT), backend_of(route)
    if alias and endpoint and workload:
        yield LogChoice(_deployment(route), alias, endpoint, route["metadata"]["namespace"], workload)


def _deployment(obj: Object) -> str:
    return (annotation(obj, labels.UNIT_NAME) or "").rpartition("/")[2]


def _made(obj: Object) -> tuple[str, str]:
    return str(at(obj, "metadata", "creationTimestamp", default="")), obj["metadata"]["name"]
