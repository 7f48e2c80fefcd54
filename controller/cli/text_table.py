"""Rows as aligned text, never cut: what is piped must be whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, indent: str = "") -> Iterator[Text]:
    """Columns as wide as their widest cell; the last one is not padded. Nothing without rows."""
    every = [tuple(columns), *(tuple(row) for row in rows)]
    if len(every) == 1:
        return
    widths = [max(len(row[i]) for row in every) for i in range(len(columns))]
    for number, row in enumerate(every):
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        yield Text(indent + "  ".join([*cells, row[-1]]), "dim" if number == 0 else "")
