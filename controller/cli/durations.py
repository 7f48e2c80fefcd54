"""Durations as options: `90s`, `15m`, `1h30m`, as in the declared files."""

from __future__ import annotations

from typing import Any

import click

from controller.loading.durations import seconds


class Duration(click.ParamType[float]):
    """Seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds(str(value))
        except ValueError:
            self.fail(f"{value!r} is no duration: write 90s, 15m or 1h30m", param, ctx)
