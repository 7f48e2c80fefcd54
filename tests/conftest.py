from __future__ import annotations

import signal

pytest_plugins = ["tests.cluster.fixtures", "tests.docker_engine.fixtures"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So begins what a shell starts in the background, and everything that this starts would not hear of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
