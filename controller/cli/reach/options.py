"""The options that name a target, on every command that reads or writes one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

Command = Callable[..., Any]
EMBEDDED = "embedded"
"""The name of the target inside this machine."""


@dataclass(frozen=True, slots=True)
class Where:
    """What a person said of the target; all None means the embedded one, or what is known here.

    `kubeconfig` may be several paths, joined as in $KUBECONFIG. `inherited` are the fields that the environment gave.
    """

    state: Path | None = None
    kubeconfig: Path | None = None
    context: str | None = None
    target: str | None = None
    namespace: str | None = None
    inherited: frozenset[str] = frozenset()

    @property
    def names_kubernetes(self) -> bool:
        """Whether anything asks for a Kubernetes cluster."""
        return bool(self.kubeconfig or self.context or self.target not in (None, EMBEDDED))

    def as_typed(self) -> Where:
        """Without what the environment says otherwise than an option does: an option always wins over a variable."""
        typed = {name for name in _GIVES_WAY if getattr(self, name) is not None} - self.inherited
        yields = self.inherited & {name for option in typed for name in _GIVES_WAY[option]}
        return replace(self, **dict.fromkeys(yields, None), inherited=self.inherited - yields) if yields else self


_GIVES_WAY = {
    "state": ("kubeconfig", "context", "target"),
    "kubeconfig": ("state", "target"),
    "context": ("state", "target"),
    "target": ("state", "kubeconfig", "context"),
}
"""What each option overrules: a context may be looked for in another kubeconfig, all else is another place."""
_PARAMETERS = {"state": "state", "kubeconfig": "kubeconfig", "context": "context", "target": "target_name"}

_STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="POINTSMAN_STATE",
    help="State directory of the embedded cluster. Default: $XDG_STATE_HOME/pointsman/<name>-<hash of the source>.",
)
_KUBECONFIG = click.option(
    "--kubeconfig",
    metavar="PATH",
    type=click.Path(path_type=Path),
    envvar="POINTSMAN_KUBECONFIG",
    help="Use a Kubernetes target through this file. Default with --context or --target: $KUBECONFIG, ~/.kube/config.",
)
_CONTEXT = click.option(
    "--context", metavar="NAME", envvar="POINTSMAN_CONTEXT", help="Use a Kubernetes target through this kubeconfig context."
)
_TARGET = click.option(
    "--target",
    "target_name",
    metavar="NAME",
    envvar="POINTSMAN_TARGET",
    help="Use the Kubernetes target of this name in $XDG_CONFIG_HOME/pointsman/targets.yaml.",
)
_NAMESPACE = "On a Kubernetes target: look into this namespace only."


def where_options(function: Command) -> Command:
    """The options, given to the command as one `where`."""
    return _with_options(function, "-n", "--namespace")


def where_options_without_n(function: Command) -> Command:
    """The same for a command whose `-n` is something else."""
    return _with_options(function, "--namespace")


def _inherited() -> frozenset[str]:
    """The fields of the running command's `Where` that variables gave."""
    source = click.get_current_context().get_parameter_source
    return frozenset(field for field, name in _PARAMETERS.items() if source(name) is ParameterSource.ENVIRONMENT)


def _with_options(function: Command, *namespace: str) -> Command:
    @functools.wraps(function)
    def gathered(
        *,
        state: Path | None,
        kubeconfig: Path | None,
        context: str | None,
        target_name: str | None,
        namespace: str | None,
        **others: Any,
    ) -> Any:
        return function(**others, where=Where(state, kubeconfig, context, target_name, namespace, _inherited()))

    limit = click.option(*namespace, metavar="NS", help=_NAMESPACE)
    command: Command = gathered
    for option in (limit, _TARGET, _CONTEXT, _KUBECONFIG, _STATE):
        command = option(command)
    return command
