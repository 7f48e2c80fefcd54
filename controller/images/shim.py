"""One-request shim: keeps a server that answers a single connection and ends (`python -m wsgiref.simple_server`) in service.

It runs inside the endpoint's image, so it is one file that needs nothing but the standard library of Python 3.6 or newer.
It listens on a port of its own, holds each connection until the first request byte has arrived (a probe that connects and
sends nothing never reaches the command), passes one connection to each instance of the command, and starts the next one.

    shim.py --listen 8001 --backend 8000 -- sh -c 'python -m wsgiref.simple_server'
"""

import argparse
import contextlib
import os
import queue
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time

MAX_CONNECTIONS = 128
FIRST_BYTE_SECONDS = 60.0
START_SECONDS = 30.0
END_SECONDS = 5.0
DRAIN_SECONDS = 25.0
BLOCK = 65536
FAILURES = 3
_LINGER = 1.0


class CommandFailed(Exception):
    """The command ended several times in a row without having taken a connection."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the command ended {FAILURES} times before it took a connection, last with code {code}")
        self.code = code


class Command:
    """The command as a row of processes: each takes one connection, the next is started as soon as one has ended."""

    def __init__(self, arguments: "list[str]", port: int) -> None:
        self._arguments = arguments
        self._port = port
        self._process = None  # type: subprocess.Popen[bytes] | None
        self._failures = 0

    def keep_started(self) -> None:
        """Start an instance unless one runs. Raises `CommandFailed` when none stays."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._failures += 1
            if self._failures >= FAILURES:
                raise CommandFailed(code)
        # wsgiref.simple_server opens a web browser on its own port before it serves; `true` takes that call.
        environment = dict(os.environ, BROWSER=os.environ.get("BROWSER", "true"))
        self._process = subprocess.Popen(self._arguments, env=environment, start_new_session=True)

    def connect(self) -> socket.socket:
        """The one connection of a running instance, retried until it listens: a trial would be the one that is served."""
        end = time.monotonic() + START_SECONDS
        while True:
            self.keep_started()
            try:
                connection = socket.create_connection(("127.0.0.1", self._port), timeout=START_SECONDS)
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
            else:
                connection.settimeout(None)
                return connection

    def renew(self) -> None:
        """Wait until the instance that was used has ended (it may still hold the port), then start the next one ahead."""
        self._failures = 0
        self.stop(after=END_SECONDS)
        self.keep_started()

    def stop(self, after: float = 0.0) -> None:
        """End the instance: by itself within `after` seconds, else SIGTERM, else SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        for wait, number in ((after, signal.SIGTERM), (END_SECONDS, signal.SIGKILL)):
            try:
                process.wait(wait)
                break
            except subprocess.TimeoutExpired:
                _signal_group(process.pid, number)
        process.wait()


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def forward(client: socket.socket, backend: socket.socket) -> None:
    """Copy both ways until the server has closed its side; the client's socket is closed once the client has, too.

    Closing at once with unread bytes of a request would reset the connection and take the answer with it.
    """
    answered = threading.Event()
    threading.Thread(target=_upload, args=(client, backend, answered), daemon=True).start()
    try:
        block = backend.recv(BLOCK)
        while block:
            client.sendall(block)
            block = backend.recv(BLOCK)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    finally:
        answered.set()


def _upload(client: socket.socket, backend: socket.socket, answered: threading.Event) -> None:
    """Request bytes to the server; what it no longer reads is dropped so that the client sees the answer."""
    open_backend = True
    with client, backend:
        while True:
            readable = select.select([client], [], [], _LINGER)[0]
            if not readable:
                if answered.is_set():
                    return
                continue
            try:
                block = client.recv(BLOCK)
            except OSError:
                block = b""
            open_backend = open_backend and _pass_on(block, backend)
            if not block:
                answered.wait()
                return


def _pass_on(block: bytes, backend: socket.socket) -> bool:
    """Send a block, or its end. False when the server takes no more."""
    try:
        if block:
            backend.sendall(block)
        else:
            backend.shutdown(socket.SHUT_WR)
    except OSError:
        return False
    return True


class Shim:
    """Accepts, waits for first bytes, and hands connections one after another to the worker."""

    def __init__(self, listener: socket.socket, command: Command) -> None:
        self._listener = listener
        self._command = command
        self._selector = selectors.DefaultSelector()
        self._waiting = {}  # type: dict[socket.socket, float]
        self._ready = queue.Queue()  # type: queue.Queue[socket.socket | None]
        self._stopping = False
        self._accepting = False
        self._failure = 0
        self._worker = threading.Thread(target=self._work, daemon=True)

    def stop(self, *_: object) -> None:
        """Signal handler: serve what has arrived, then end."""
        self._stopping = True

    def run(self) -> int:
        """Serve until stopped (0) or until the command does not start any more (its exit code)."""
        self._listener.setblocking(False)
        self._worker.start()
        while not self._stopping and not self._failure:
            self._step()
        self._accept()
        self._listener.close()
        self._take_first_bytes()
        for client in self._waiting:
            client.close()
        self._ready.put(None)
        self._worker.join(0 if self._failure else DRAIN_SECONDS)
        self._selector.close()
        self._command.stop()
        return self._failure

    def _step(self) -> None:
        room = len(self._waiting) + self._ready.qsize() < MAX_CONNECTIONS
        if room != self._accepting:
            self._listen_for_more(room)
        for key, _ in self._selector.select(0.5):
            if key.fileobj is self._listener:
                self._accept()
        self._take_first_bytes()
        self._drop_silent()

    def _listen_for_more(self, room: bool) -> None:
        if room:
            self._selector.register(self._listener, selectors.EVENT_READ)
        else:
            self._selector.unregister(self._listener)
        self._accepting = room

    def _accept(self) -> None:
        while len(self._waiting) + self._ready.qsize() < MAX_CONNECTIONS:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setblocking(False)
            self._waiting[client] = time.monotonic()
            self._selector.register(client, selectors.EVENT_READ)

    def _take_first_bytes(self) -> None:
        for client in list(self._waiting):
            try:
                first = client.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                continue
            except OSError:
                first = b""
            self._forget(client)
            if first:
                client.setblocking(True)
                self._ready.put(client)
            else:
                client.close()

    def _drop_silent(self) -> None:
        limit = time.monotonic() - FIRST_BYTE_SECONDS
        for client in [c for c, since in self._waiting.items() if since < limit]:
            self._forget(client)
            client.close()

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        del self._waiting[client]

    def _work(self) -> None:
        try:
            while True:
                self._command.keep_started()
                try:
                    client = self._ready.get(timeout=0.2)
                except queue.Empty:
                    continue
                if client is None:
                    return
                self._serve(client)
        except CommandFailed as failure:
            sys.stderr.write(f"shim: {failure}\n")
            self._failure = failure.code if failure.code > 0 else 1
        except OSError as error:
            sys.stderr.write(f"shim: cannot start the command: {error}\n")
            self._failure = 127

    def _serve(self, client: socket.socket) -> None:
        try:
            backend = self._command.connect()
        except (CommandFailed, OSError) as error:
            client.close()
            if isinstance(error, CommandFailed):
                raise
            sys.stderr.write(f"shim: the command runs but does not listen: {error}\n")
            self._command.stop()
            return
        forward(client, backend)
        self._command.renew()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(MAX_CONNECTIONS)
    return listener


def main(arguments: "list[str]") -> int:
    parser = argparse.ArgumentParser(description="Keeps a server that answers one connection and ends in service.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104  (a pod's own network)
    parser.add_argument("--listen", type=int, required=True, help="port of the shim itself")
    parser.add_argument("--backend", type=int, required=True, help="port that the command binds")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command, after --")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("no command after --")
    with _listen(options.host, options.listen) as listener:
        shim = Shim(listener, Command(command, options.backend))
        signal.signal(signal.SIGTERM, shim.stop)
        signal.signal(signal.SIGINT, shim.stop)
        return shim.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
