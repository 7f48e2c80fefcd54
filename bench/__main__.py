"""Runs every benchmark, one after the other: python -m bench. docs/benchmarks.md explains the figures."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("scale", "gateway", "switch")

if __name__ == "__main__":
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)
