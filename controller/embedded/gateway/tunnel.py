"""After `101 Switching Protocols`: bytes both ways until both sides have ended."""

from __future__ import annotations

import asyncio

from controller.embedded.gateway.wire import Wire, WireBrokenError


async def tunnel(client: Wire, endpoint: Wire) -> None:
    """Returns when both directions are done or one side broke."""
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_pour(client, endpoint))
            both.create_task(_pour(endpoint, client))
    except* WireBrokenError:
        pass  # whoever is left learns it from the closing of its connection


async def _pour(source: Wire, sink: Wire) -> None:
    data, closed = source.grammar.trailing_data
    if data:
        await sink.write(data)
    while not closed and (data := await source.read_raw()):
        await sink.write(data)
    sink.end_raw()
