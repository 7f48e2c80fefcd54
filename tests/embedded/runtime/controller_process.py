"""A controller's own process, to be killed: a store and a runner over the directory that is named as argument."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from controller.embedded.store import EmbeddedStore
from tests.embedded.runtime.cluster import deployment, eventually, new_runner


def main(root: Path, command: str) -> None:
    with EmbeddedStore(root / "store") as store:
        store.apply(deployment("web", command, replicas=2))
        new_runner(root, store).start()
        eventually(lambda: sum(s["endpoints"][0]["conditions"]["ready"] for s in store.list("EndpointSlice").items) == 2)
        print("ready", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
