"""A cluster for people: `python -m tests.cluster up | down | build`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from subprocess import CalledProcessError

from tests.cluster import binaries, claims, tensorflow
from tests.cluster.fixtures import can_be_started
from tests.cluster.layout import PULL_FROM
from tests.cluster.local import LocalCluster, NotStarted, build

_SAID = """\
export KUBECONFIG={kubeconfig}
export POINTSMAN_TEST_KUBECONFIG={kubeconfig}
export POINTSMAN_TEST_GATEWAYS={gateways}
export POINTSMAN_TEST_REGISTRY={registry}
export POINTSMAN_TEST_PULL={pull}
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a cluster that stays, and print how to reach it")
    up.add_argument("--index", type=int, choices=range(1, 10), help="its number (default: the first that is free)")
    up.add_argument("--state", type=Path, help="an empty folder for its state")
    down = commands.add_parser("down", help="remove it without a trace")
    down.add_argument("--index", type=int, choices=range(1, 10), help="which (default: all that stay)")
    commands.add_parser("build", help="build and make what clusters are made of")
    asked = parser.parse_args()
    try:
        {"up": _up, "down": _down, "build": _build}[asked.command](asked)
    except (NotStarted, OSError, CalledProcessError) as error:
        sys.exit(f"error: {error}")


def _up(asked: argparse.Namespace) -> None:
    layout = LocalCluster.start(asked.index, asked.state, bound=False).layout
    gateways = ",".join(layout.gateways)
    sys.stdout.write(_SAID.format(kubeconfig=layout.admin, gateways=gateways, registry=layout.registry, pull=PULL_FROM))


def _down(asked: argparse.Namespace) -> None:
    for found in claims.claimed():
        if asked.index in (None, found.index) and found.owner is None:
            claims.remove(found.index)
            binaries.say(f"removed cluster {found.index}")


def _build(asked: argparse.Namespace) -> None:
    """Where no cluster can be started there is nothing to build: the tests say themselves what they need instead."""
    if can_be_started() and "POINTSMAN_TEST_KUBECONFIG" not in os.environ:
        build()
        tensorflow.make_all()
        tensorflow.model()
    else:
        binaries.say("no cluster is built for the tests: they use another, or say what they need")


if __name__ == "__main__":
    main()
