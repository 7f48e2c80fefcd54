"""PURE: which targets are meant, from what a person said, what they have given names to, and what runs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from controller.cli.reach.known import KnownTarget
from controller.cli.reach.options import EMBEDDED, Where
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A cluster to be reached; `name` is for people, empty where only its kubeconfig knows one (the current context)."""

    name: str
    kubeconfig: Path | None = None
    context: str | None = None


def choices(where: Where, known: Mapping[str, KnownTarget], known_file: Path, *, embedded: bool) -> tuple[Kubernetes, ...]:
    """The Kubernetes targets that are meant; none means the embedded one. `embedded` says whether one was ever served here.

    Raises Stalled for an unknown name, UsageError for `--state` beside a Kubernetes target.
    """
    where = where.as_typed()
    if where.state is not None and where.names_kubernetes:
        raise click.UsageError("--state is embedded; --kubeconfig, --context and --target are Kubernetes: choose one")
    if where.target == EMBEDDED and (where.kubeconfig or where.context):
        raise click.UsageError(
            "--target embedded is inside this machine; --kubeconfig and --context are Kubernetes: choose one"
        )
    if where.kubeconfig or where.context:
        return (_given(where, known, known_file),)
    if where.target == EMBEDDED:
        return ()
    if where.target:
        return (_named(where.target, known, known_file),)
    if where.state is not None or embedded:
        return ()
    return tuple(Kubernetes(name, each.kubeconfig, each.context) for name, each in sorted(known.items()))


def the_only(found: tuple[Kubernetes, ...]) -> Kubernetes:
    """For commands that write: a person says which one where several are known. Raises Stalled that lists them."""
    if len(found) == 1:
        return found[0]
    names = [choice.name for choice in found]
    raise Stalled(f"{len(names)} targets are known: {', '.join(names)}", hint=f"name one: --target {names[0]}")


def _given(where: Where, known: Mapping[str, KnownTarget], known_file: Path) -> Kubernetes:
    """Options say how; what they leave open comes from the target, where one is named."""
    base = _named(where.target, known, known_file) if where.target else Kubernetes("")
    context = where.context or base.context
    return Kubernetes(base.name or context or "", where.kubeconfig or base.kubeconfig, context)


def _named(name: str, known: Mapping[str, KnownTarget], known_file: Path) -> Kubernetes:
    if name not in known:
        hint = did_you_mean(name, known) or f"add a line to {known_file}: {name}: {{context: CONTEXT}}; or give --context"
        raise Stalled(f"no target is called `{name}`", hint=hint)
    return Kubernetes(name, known[name].kubeconfig, known[name].context)
