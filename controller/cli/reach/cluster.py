"""A Kubernetes cluster with the caller's own kubeconfig. Imported only when one is asked for: its package takes a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from controller.cli.context import kubeconfig_paths
from controller.cli.reach.choice import Kubernetes
from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect


@contextmanager
def open_cluster(choice: Kubernetes) -> Iterator[KubernetesClient]:
    """The cluster's objects. Any exec plug-in of the kubeconfig may run: the command is the caller's own."""
    connection = connect(kubeconfig=choice.kubeconfig or kubeconfig_paths(), context=choice.context)
    client = KubernetesClient(connection)
    try:
        yield client
    finally:
        client.close()
