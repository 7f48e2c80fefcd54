"""Whether something listens behind a published port. Docker's proxy in front of it takes every connection itself."""

from __future__ import annotations

import socket

from controller.embedded.runtime.docker.configuration import LOOPBACK


def is_refused(port: int, patience: float, silence: float) -> bool:
    """Whether nobody takes a connection within `patience` seconds, or it is closed before `silence` seconds are over.

    Where nothing listens inside, the proxy hangs up as soon as it knows.
    """
    try:
        connection = socket.create_connection((LOOPBACK, port), patience)
    except OSError:
        return True
    with connection:
        connection.settimeout(silence)
        try:
            return not connection.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True
