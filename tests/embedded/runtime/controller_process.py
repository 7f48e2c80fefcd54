"""A controller's own process, to be killed: a store and a runner over the directory that is named as argument.

With a number as third argument it kills itself after so many changes of its store, else it says `ready` and waits.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from pathlib import Path

from controller.embedded.store import EmbeddedStore
from tests.embedded.runtime.cluster import deployment, eventually, new_runner


def main(root: Path, command: str, changes: int | None) -> None:
    with EmbeddedStore(root / "store") as store:
        store.apply(deployment("web", command, replicas=2))
        if changes is not None:
            seen = itertools.count()
            store.subscribe(lambda _: os.kill(os.getpid(), signal.SIGKILL) if next(seen) == changes else None)
        new_runner(root, store).start()
        if changes is None:
            eventually(lambda: sum(s["endpoints"][0]["conditions"]["ready"] for s in store.list("EndpointSlice").items) == 2)
            print("ready", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
