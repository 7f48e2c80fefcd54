"""Every bound of the gateway in one place. Times are seconds, sizes bytes."""

from __future__ import annotations

from dataclasses import dataclass

READ_SIZE = 256 * 1024
"""What one read takes at most; a stream pauses its peer at twice this, which keeps memory flat under large bodies."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`idle`: between two requests; `header`: from a request's first byte to the end of its headers; `stalled`: no progress
    in a body that the client sends or takes; `ready`: how long a request waits for a replica; `linger`: unread bytes of a
    refused request are taken for so long, or a reset would destroy the answer.
    """

    connections: int = 1000
    header_bytes: int = 64 * 1024
    idle: float = 75.0
    header: float = 10.0
    stalled: float = 60.0
    connect: float = 2.0
    ready: float = 2.0
    linger: float = 1.0
    linger_bytes: int = 1024 * 1024
