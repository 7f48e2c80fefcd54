"""The targets that a person has given names to: `$XDG_CONFIG_HOME/pointsman/targets.yaml`.

    us-east: {context: admin@us-east}
    eu-west: {kubeconfig: eu.yaml, context: eu}

Never in a repository: a kubeconfig may start programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.loading.documents import parse
from controller.loading.nodes import MapNode, text_of
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled

_KEYS = ("kubeconfig", "context")
_FORM = "each line: NAME: {context: CONTEXT, kubeconfig: PATH}; either may be left out"


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """How one named cluster is reached; None means the default of kubectl."""

    kubeconfig: Path | None = None
    context: str | None = None


def known_targets(file: Path) -> Mapping[str, KnownTarget]:
    """The named targets, none where there is no file. Raises Stalled with the place of a mistake."""
    try:
        document = parse(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Stalled(f"{file} cannot be read: {error.strerror}") from error
    for problem in () if document.is_readable else document.problems:
        raise Stalled(f"{file}:{problem.line}:{problem.column}: {problem.message}", hint=problem.hint)
    if document.root is None:
        return {}
    if not isinstance(document.root, MapNode):
        raise Stalled(f"{file}: names of targets are wanted", hint=_FORM)
    return {name: _known(file, name, node) for name, node in document.root.items()}


def _known(file: Path, name: str, node: object) -> KnownTarget:
    if not isinstance(node, MapNode):
        raise Stalled(f"{file}: target `{name}` is no map", hint=_FORM)
    values = {key: text_of(value) for key, value in node.items()}
    for key in values:
        if key not in _KEYS:
            raise Stalled(f"{file}: target `{name}`: unknown key `{key}`", hint=did_you_mean(key, _KEYS) or _FORM)
    kubeconfig = values.get("kubeconfig")
    path = file.parent / Path(kubeconfig).expanduser() if kubeconfig else None
    return KnownTarget(path, values.get("context"))
