"""Places in files that nobody wrote: a person can only be sent to a file that is there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from controller.loading.versions import VALOHAI_FILE
from controller.model.diagnostics import Diagnostic, Location


def at_causes(diagnostics: Sequence[Diagnostic], generated: Collection[str]) -> tuple[Diagnostic, ...]:
    """Diagnostics of generated files at the first mistake in a file that is there, else at valohai.yaml as a whole."""
    causes = [d.location for d in diagnostics if d.is_error and d.location.file not in generated]
    place = causes[0] if causes else Location(VALOHAI_FILE)
    return tuple(replace(d, location=place) if d.location.file in generated else d for d in diagnostics)
