"""A controller's own process, to be killed: a store and containers over the directory that is named as argument.

The other arguments are the Engine's socket and folder, and the command of two replicas. It says `ready` when they are.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.docker_engine.engine import Engine
from tests.embedded.containers.cluster import LONGEST, docker_cluster
from tests.embedded.runtime.cluster import eventually


def main(root: Path, engine: Engine, command: str) -> None:
    with docker_cluster(root, engine) as cluster:
        cluster.store.apply(cluster.declared("web", command, replicas=2))
        cluster.start()
        eventually(lambda: len(cluster.ready_ports("web")) == 2, LONGEST)
        print("ready", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Engine(Path(sys.argv[2]), Path(sys.argv[3])), sys.argv[4])
