"""Which version an alias rolls back to. Pure: the alias file's values come in, the answer goes out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def stack_of(values: Iterable[str]) -> tuple[str, ...]:
    """The values of an alias along the first-parent line, oldest first, as a stack; the last one is the top.

    A value that is in the stack pops back to it, so a revert counts as a rollback; any other is pushed.
    """
    stack: list[str] = []
    for value in values:
        if value in stack:
            del stack[stack.index(value) + 1 :]
        else:
            stack.append(value)
    return tuple(stack)


def rollback_target(stack: Sequence[str], usable: Collection[str], confirmed: Collection[str] | None) -> str | None:
    """The nearest value below the top that is usable and known to have served; `confirmed` None asks for no proof."""
    below = reversed(stack[:-1])
    return next((v for v in below if v in usable and (confirmed is None or v in confirmed)), None)
