"""Talks to a started program over its three pipes at once, with a deadline and a cap on what it may answer."""

from __future__ import annotations

import os
import selectors
import time
from subprocess import Popen
from typing import IO

BLOCK = 1 << 16
ERROR_LIMIT = 1 << 16
"""Bytes of standard error that are kept: a message for a person, not data."""


def opened(pipe: IO[bytes] | None) -> IO[bytes]:
    """A pipe that the program was started with."""
    if pipe is None:
        raise ValueError("the program was started without this pipe")
    return pipe


class TooMuchOutput(Exception):
    """The program wrote more than its caller is ready to hold."""


def exchange(process: Popen[bytes], stdin: bytes | None, *, timeout: float, limit: int) -> tuple[bytes, bytes]:
    """Feed `stdin`, collect output and errors until both end.

    Raises TimeoutError or TooMuchOutput; the program still runs then.
    """
    conversation = _Conversation(process, stdin or b"", limit)
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        conversation.join(selector)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready and time.monotonic() >= deadline:
                raise TimeoutError
            for key, _ in ready:
                if conversation.ended(key.fd):
                    selector.unregister(key.fd)
                    conversation.leave(key.fd)
    return bytes(conversation.output), bytes(conversation.errors)


class _Conversation:
    """What was said so far."""

    def __init__(self, process: Popen[bytes], stdin: bytes, limit: int) -> None:
        self.output = bytearray()
        self.errors = bytearray()
        self._limit = limit
        self._pending = memoryview(stdin)
        self._input = process.stdin
        self._stdout = opened(process.stdout).fileno()
        self._stderr = opened(process.stderr).fileno()

    def join(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._stdout, selectors.EVENT_READ)
        selector.register(self._stderr, selectors.EVENT_READ)
        if self._input:
            os.set_blocking(self._input.fileno(), False)
            selector.register(self._input.fileno(), selectors.EVENT_WRITE)

    def ended(self, descriptor: int) -> bool:
        """Carry on with a pipe that is ready; True once there is no more of it."""
        if descriptor == self._stdout:
            return self._read_output()
        if descriptor == self._stderr:
            return self._read_errors()
        return self._write()

    def _read_output(self) -> bool:
        block = os.read(self._stdout, BLOCK)
        self.output += block
        if len(self.output) > self._limit:
            raise TooMuchOutput
        return not block

    def _read_errors(self) -> bool:
        block = os.read(self._stderr, BLOCK)
        self.errors += block[: ERROR_LIMIT - len(self.errors)]
        return not block

    def _write(self) -> bool:
        """A program that ends without reading everything says why in its errors, so a broken pipe is only an end."""
        request = opened(self._input)
        try:
            self._pending = self._pending[os.write(request.fileno(), self._pending[:BLOCK]) :]
        except BrokenPipeError:
            self._pending = self._pending[:0]
        return not self._pending

    def leave(self, descriptor: int) -> None:
        """End the program's input, once nobody waits for that pipe any more.

        While another thread starts a program, its child holds a copy of the pipe for a moment: epoll would go on telling
        of one that was closed first, and unregistering a closed one does nothing (epoll(7), questions 6).
        """
        if self._input and not self._input.closed and descriptor == self._input.fileno():
            self._input.close()
