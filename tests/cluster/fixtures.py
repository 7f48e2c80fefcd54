"""The cluster that a test run uses, for every folder of tests: `pytest_plugins` of `tests/conftest.py` names this module.

It is found in this order: the one that POINTSMAN_TEST_KUBECONFIG names; on Linux as root one of this machine, started for the
run. Otherwise a test that asks for it fails and names the choices: the tier is never skipped.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster.layout import PULL_FROM

if TYPE_CHECKING:
    from tests.cluster.local import LocalCluster

_CHOICES = """\
no Kubernetes for the tests of the tier `cluster`. Choose one:
  1. as root on Linux, with the packages of tests/cluster/packages.py: the tests build, start and remove a cluster
  2. start one with kind (with a registry, the Gateway API and Traefik in it) and name it as in 3
  3. name yours: POINTSMAN_TEST_KUBECONFIG=FILE, with POINTSMAN_TEST_GATEWAYS=URL,... (each replica of the Gateway `pointsman`
     in the namespace `gateways`), POINTSMAN_TEST_REGISTRY=URL to push to, POINTSMAN_TEST_PULL=NAME its nodes pull from
`make test-fast` leaves this tier out."""


@dataclass(frozen=True)
class Testbed:
    """A cluster as its tests see it: an administrator's kubeconfig, and how requests and images get in."""

    __test__ = False

    kubeconfig: Path
    api: str
    gateways: tuple[str, ...]  # the base URL of each replica
    registry: str  # the URL to push to
    pull: str  # what the nodes call the same registry
    state: Path  # where a run may keep what several of its tests use
    local: LocalCluster | None = None  # its parts can be stopped and started

    @property
    def base_image(self) -> str:
        """A Python 3.11 that pods can run."""
        return f"{self.pull}/library/python:3.11"

    def parts(self) -> LocalCluster:
        """What a test needs that stops a component of the cluster."""
        if self.local is None:
            pytest.fail(
                "this test stops parts of the cluster, which it can do with one of its own alone: run it as root on Linux"
            )
        return self.local


@contextmanager
def found_cluster() -> Iterator[Testbed]:
    """The cluster of a run, started if need be; the caller starts no second one by this."""
    with tempfile.TemporaryDirectory(prefix="pointsman-testbed-") as directory:
        if named := os.environ.get("POINTSMAN_TEST_KUBECONFIG"):
            yield _named(Path(named).resolve(), Path(directory))
        elif can_be_started():
            with started(Path(directory)) as made:
                yield made
        else:
            raise OSError(_CHOICES)


@contextmanager
def started(directory: Path) -> Iterator[Testbed]:
    """One of this machine, gone at the end however that comes."""
    # Here, because every run of pytest imports this module, and few of them start a cluster.
    from tests.cluster import binaries
    from tests.cluster.local import LocalCluster

    if not binaries.are_built():
        raise OSError("the test cluster is not built yet\nhint: run make cluster-build (twenty minutes, once per machine)")
    cluster = LocalCluster.start()
    try:
        layout = cluster.layout
        yield Testbed(layout.admin, layout.api, layout.gateways, layout.registry, PULL_FROM, directory, cluster)
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def testbed() -> Iterator[Testbed]:
    """One cluster for the whole run, started when the first test asks."""
    with found_cluster() as found:
        yield found


@pytest.fixture(scope="session")
def second_testbed() -> Iterator[Testbed]:
    """Another cluster, for what needs two targets; always one of this machine."""
    if not can_be_started():
        pytest.fail("a second cluster is started on this machine: that needs root on Linux")
    with tempfile.TemporaryDirectory(prefix="pointsman-testbed-") as directory, started(Path(directory)) as made:
        yield made


def can_be_started() -> bool:
    """Namespaces, mounts and control groups are root's on Linux."""
    return sys.platform == "linux" and os.geteuid() == 0


def _named(kubeconfig: Path, directory: Path) -> Testbed:
    gateways = tuple(url for url in os.environ.get("POINTSMAN_TEST_GATEWAYS", "").split(",") if url)
    registry = os.environ.get("POINTSMAN_TEST_REGISTRY", "")
    if not (kubeconfig.exists() and gateways and registry):
        raise OSError(
            f"POINTSMAN_TEST_KUBECONFIG={kubeconfig} needs a file, POINTSMAN_TEST_GATEWAYS and POINTSMAN_TEST_REGISTRY"
        )
    pull = os.environ.get("POINTSMAN_TEST_PULL", PULL_FROM)
    return Testbed(kubeconfig, _server(kubeconfig), gateways, registry, pull, directory)


def _server(kubeconfig: Path) -> str:
    document = yaml.safe_load(kubeconfig.read_text())
    contexts = {known["name"]: known["context"] for known in document["contexts"]}
    clusters = {known["name"]: known["cluster"] for known in document["clusters"]}
    return str(clusters[contexts[document["current-context"]]["cluster"]]["server"])
