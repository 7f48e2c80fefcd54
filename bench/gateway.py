"""How much the embedded gateway costs: direct against through it, within one run.

    python bench/gateway.py [seconds per measurement]

Figures of one machine at one moment mean little; the ratio between the two columns is what to compare.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from controller.embedded.gateway import Gateway
from controller.embedded.store import EmbeddedStore
from tests.embedded.gateway import cluster

PATH = "/bench/mark/here/production/endpoint"
SMALL, LARGE = b"x" * 100, b"x" * (1 << 20)
CLIENTS = 8

Operation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def endpoint(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The least that an endpoint can do: small, large, or an echo after an upgrade."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if b"upgrade: echo" in head.lower():
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
                break
            body = LARGE if b"/large" in head else SMALL
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            if b"connection: close" in head.lower():
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def get(path: str) -> Operation:
    async def operation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"GET {PATH}{path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))[15:])
        await reader.readexactly(length)

    return operation


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(SMALL)
    await reader.readexactly(len(SMALL))


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")


async def measure(port: int, operation: Operation, seconds: float, first: Operation | None = None) -> tuple[float, float]:
    """(operations a second, median milliseconds) of all clients together."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 21)
        if first:
            await first(reader, writer)
        while (start := time.perf_counter()) < end:
            await operation(reader, writer)
            times.append(time.perf_counter() - start)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return len(times) / seconds, statistics.median(times) * 1000


async def compare(direct: int, through: int, seconds: float) -> None:
    print(f"{'':12}{'direct/s':>12}{'gateway/s':>12}{'ratio':>8}{'direct ms':>12}{'gateway ms':>12}")
    cases: list[tuple[str, Operation, Operation | None]] = [
        ("100 B", get(""), None),
        ("1 MiB", get("/large"), None),
        ("echo 100 B", echo, upgrade),
    ]
    for name, operation, first in cases:
        plain, proxied = [await measure(port, operation, seconds, first) for port in (direct, through)]
        print(f"{name:12}{plain[0]:12.0f}{proxied[0]:12.0f}{proxied[0] / plain[0]:8.2f}{plain[1]:12.2f}{proxied[1]:12.2f}")


async def run(seconds: float) -> None:
    server = await asyncio.start_server(endpoint, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port, theirs))
    process.start()
    try:
        await compare(port, await asyncio.to_thread(ours.recv), seconds)
    finally:
        ours.send("stop")
        await asyncio.to_thread(process.join)
        server.close()


def serve(port: int, parent: Connection) -> None:
    """A gateway before the endpoint at `port`, in a process of its own, until the parent says something."""
    with TemporaryDirectory() as directory, EmbeddedStore(Path(directory)) as store:
        for item in (cluster.service("one"), cluster.endpoint_slice("one", port), cluster.route(PATH, "one")):
            store.apply(item)
        gateway = Gateway(store, port=0, probe_token="")
        gateway.start()
        parent.send(gateway.port)
        parent.recv()
        gateway.stop()


if __name__ == "__main__":
    asyncio.run(run(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
