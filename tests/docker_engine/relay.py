"""Carries TCP connections between this network and an Engine's: what dockerd starts for each published port.

The arguments are those of Docker's own `docker-proxy`, and what it says on descriptor 3: 0, or 1 with the reason, so that
dockerd tries another port (https://github.com/moby/moby/blob/v20.10.24/cmd/docker-proxy/main.go). A socket belongs to the
network in which it was made, whichever one its thread is in later.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import threading

_NEW_NETWORK = 0x40000000
_BLOCK = 1 << 16


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("--listen-in", "--connect-in"):
        parser.add_argument(name, default="/proc/self/ns/net")
    for name in ("-proto", "-host-ip", "-host-port", "-container-ip", "-container-port"):
        parser.add_argument(name)
    given = parser.parse_args()
    inside = os.open(given.connect_in, os.O_RDONLY)
    told = os.fdopen(3, "w") if given.proto else None
    try:
        _enter(os.open(given.listen_in, os.O_RDONLY))
        listener = socket.create_server((given.host_ip, int(given.host_port)))
    except OSError as error:
        if told:
            told.write(f"1\n{error}")
            told.close()
        raise SystemExit(1) from error
    if told:
        told.write("0\n")
        told.close()
    _enter(inside)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_serve, args=(client, (given.container_ip, int(given.container_port))), daemon=True).start()


def _enter(network: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(network, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


def _serve(client: socket.socket, address: tuple[str, int]) -> None:
    with client:
        try:
            server = socket.create_connection(address)
        except OSError:
            return
        with server:
            back = threading.Thread(target=_carry, args=(server, client), daemon=True)
            back.start()
            _carry(client, server)
            back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_BLOCK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()


if __name__ == "__main__":
    main()
