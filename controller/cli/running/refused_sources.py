"""Sources that could never be followed, before anything relies on them: their URLs and directories are looked at."""

from __future__ import annotations

from collections.abc import Iterator

from controller.cli.running.sources import polled_source
from controller.loading.configuration import CONFIGURATION
from controller.model.configuration import Configuration
from controller.model.diagnostics import Diagnostic, Severity
from controller.model.errors import PointsmanError


def refused_sources(configuration: Configuration) -> Iterator[Diagnostic]:
    """A diagnostic for each whose repository, declared directory or granted code repositories are refused."""
    for source in configuration.sources.values():
        try:
            polled_source(source, configuration.state).close()
        except PointsmanError as error:
            message = f"source `{source.name}`: {error.message}"
            yield Diagnostic("PM709", Severity.ERROR, message, source.location, CONFIGURATION, error.hint)
