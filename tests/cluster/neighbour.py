"""A project of one repository on two clusters: the stage's own, and another one that its controller serves too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from tests.cluster.fixtures import Testbed
from tests.cluster.installation import installed, remove_namespace
from tests.cluster.stage import Stage

ELSEWHERE = "elsewhere"


@contextmanager
def neighbour(stage: Stage, other: Testbed, deployment: str) -> Iterator[Stage]:
    """The stage as it is seen on the other cluster, from a deployment there; it is the target `elsewhere`."""
    directory = stage.directory / ELSEWHERE
    directory.mkdir()
    client = KubernetesClient(connect(kubeconfig=other.kubeconfig))
    with client, installed(other.kubeconfig, stage.installation.name, directory) as installation:
        unit = replace(stage.unit, deployment=deployment)
        there = replace(
            stage,
            testbed=other,
            client=client,
            installation=installation,
            unit=unit,
            directory=directory,
            gateways=other.gateways,
            target=ELSEWHERE,
            beside=[],
        )
        stage.beside.append(there)
        stage.lease = "15s"
        try:
            yield there
        finally:
            stage.beside.remove(there)
            remove_namespace(other.kubeconfig, unit.namespace)
