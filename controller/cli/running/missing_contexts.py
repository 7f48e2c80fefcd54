"""Contexts that a configuration names and its kubeconfigs lack, before anything relies on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from controller.cli.context import kubeconfig_paths
from controller.cluster.kubeconfig import DEFAULT_KUBECONFIG, require_context
from controller.loading.configuration import CONFIGURATION
from controller.model.configuration import Configuration, KubeconfigAccess
from controller.model.diagnostics import Diagnostic, Severity
from controller.model.errors import Stalled


def missing_contexts(configuration: Configuration) -> Iterator[Diagnostic]:
    """A diagnostic for each target whose kubeconfig is there and does not hold the context. Nothing is sent or started."""
    for target in configuration.targets.values():
        if not isinstance(target.access, KubeconfigAccess):
            continue
        files = str(target.access.kubeconfig or kubeconfig_paths() or DEFAULT_KUBECONFIG)
        try:
            if any(Path(file).expanduser().is_file() for file in files.split(":") if file):
                require_context(files, target.access.context)
        except Stalled as error:
            message = f"target `{target.name}`: {error.message}"
            yield Diagnostic("PM710", Severity.ERROR, message, target.location, CONFIGURATION, error.hint)
