"""Rows as aligned text, never cut: what is piped must be whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, indent: str = "") -> Iterator[Text]:
    """Columns as wide as their widest cell on a terminal, the first row their names. Nothing without rows."""
    every = [tuple(columns), *(tuple(row) for row in rows)]
    if len(every) == 1:
        return
    widths = [max(cell_len(row[i]) for row in every) for i in range(len(columns))]
    for number, row in enumerate(every):
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield Text(indent + "  ".join(padded).rstrip(), "dim" if number == 0 else "")
