"""Runs benchmarks, one after the other: python -m bench [name ...]. docs/benchmarks.md explains the figures.

Without names it runs those that need nothing but this machine's Python and git. `kubernetes` and `switch_kubernetes` start the
test cluster, `images` a registry and a Docker Engine, `images_memory` a registry.
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("scale", "gateway", "switch")

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)
