"""Removes the clusters of a process that is gone: `python -m tests.cluster.keeper PID`.

Its standard input is a pipe that only that process holds open: its end is the end of the process, however that came. A process
that has removed its cluster itself says so before.
"""

from __future__ import annotations

import signal
import sys
import time

from tests.cluster import claims
from tests.cluster.claims import Process

REMOVED = b"removed"


def main(pid: str) -> None:
    # Ctrl-C goes to the whole group of a test run; the cluster is removed after the run has ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    owner = Process.at(int(pid))
    if sys.stdin.buffer.read() == REMOVED:
        return
    while owner.is_alive():
        time.sleep(0.01)
    claims.tidy()


if __name__ == "__main__":
    main(*sys.argv[1:])
