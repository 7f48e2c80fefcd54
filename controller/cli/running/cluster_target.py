"""Kubernetes clusters as targets of a configuration: the connection, gateway, registry and Lease of each."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from controller.cli.context import environment, kubeconfig_paths
from controller.cli.running.builders import registry_builder
from controller.cli.running.replicas import gateway_replicas
from controller.cluster.client import KubernetesClient
from controller.cluster.connection import Connection, connect
from controller.cluster.gateway import GatewayFacts, discover_gateway
from controller.cluster.lease import LeaderLease
from controller.cluster.rooms import node_rooms
from controller.dockerd.engine import LateEngine
from controller.engine.probe import probe_password
from controller.engine.targets import Target, always
from controller.images.registry.builder import RegistryBuilder
from controller.model.configuration import (
    Configuration,
    GatewaySettings,
    KubeconfigAccess,
    LeaderElection,
    RegistrySettings,
    TargetSettings,
)
from controller.model.desired import TargetProfile
from controller.model.errors import Stalled
from controller.model.identity import content_hash, slug
from controller.model.ports import ClusterClient, ImageShelf
from controller.state.unneeded import UnneededImages

_log = logging.getLogger(__name__)
_LEASE_RATE = 10.0
"""Requests per second for the Lease alone: however busy the target is, it is renewed in time."""


class ClusterTargets:
    """Opens clusters. Those that share a registry and a security profile share what is known of its images."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._lock = threading.Lock()
        self._builders: dict[tuple[RegistrySettings, str], RegistryBuilder] = {}
        self._engine = LateEngine(environment())

    def open(self, settings: TargetSettings, opened: ExitStack) -> Target:
        """Connect, look at the gateway and contend for the Lease. Raises Unavailable, or Stalled with what is missing."""
        gateway, registry = _required(settings)
        connection = _connection(settings)
        client = opened.enter_context(KubernetesClient(connection, qps=settings.qps, burst=settings.burst))
        facts = _facts(client, gateway)
        probe = probe_password(client, settings.controller_namespace)
        lease = self._lease(settings, connection, opened)
        return Target(
            self._profile(settings, gateway, registry, facts),
            client,
            self._builder(registry, settings.security),
            gateway_replicas(gateway, client),
            probe,
            partial(node_rooms, client),
            (lambda: lease.held) if lease else always,
        )

    def seen(self, settings: TargetSettings, client: KubernetesClient, limited: ClusterClient) -> Target:
        """The target for who only looks, through a client of their own: no Lease, no probe, nothing is written."""
        gateway, registry = _required(settings)
        profile = self._profile(settings, gateway, registry, _facts(client, gateway))
        builder = self._builder(registry, settings.security)
        return Target(profile, limited, builder, lambda: (), capacity=partial(node_rooms, client))

    def clean(self, before: float) -> None:
        """Give back the disk of what was built and last used before a time, here and in an Engine that builds."""
        with self._lock:
            builders = tuple(self._builders.values())
        for builder in builders:
            builder.clean(before)

    def shelf(self, settings: TargetSettings, project: str, tick: Callable[[], None]) -> ImageShelf:
        """The images of a project (`owner/name`) in a target's registry; `tick` raises to give up."""
        _, registry = _required(settings)
        return self._builder(registry, settings.security).shelf(project, tick)

    def memory(self, settings: TargetSettings, client: ClusterClient) -> UnneededImages:
        """Since when images of a target's registry are unneeded, beside the controller's Lease there."""
        _, registry = _required(settings)
        return UnneededImages(client, settings.controller_namespace, self._configuration.installation, registry.pull)

    def close(self) -> None:
        """Close what is shared, after all targets."""
        for builder in self._builders.values():
            builder.close()
        self._engine.close()

    def _profile(
        self, settings: TargetSettings, gateway: GatewaySettings, registry: RegistrySettings, facts: GatewayFacts
    ) -> TargetProfile:
        usual = TargetProfile(
            name=settings.name,
            kind="kubernetes",
            url=gateway.url,
            gateway=gateway.name,
            gateway_namespace=gateway.namespace,
            gateway_class=facts.controller,
            platform=self._configuration.platform,
        )
        return replace(
            usual,
            min_ready_seconds=usual.min_ready_seconds if settings.min_ready_seconds is None else settings.min_ready_seconds,
            drain_seconds=usual.drain_seconds if settings.drain is None else settings.drain,
            registry=registry.pull,
            installation=self._configuration.installation,
            features=facts.features,
            listener=gateway.listener,
            hostnames=gateway.hostnames,
            namespace=settings.namespace,
            security=settings.security,
            pull_secrets=settings.pull_secrets,
            open_access=settings.open_access,
        )

    def _lease(self, settings: TargetSettings, connection: Connection, opened: ExitStack) -> LeaderLease | None:
        election = self._configuration.leader_election
        if not election.enabled:
            return None
        client = KubernetesClient(connection, qps=_LEASE_RATE, burst=int(_LEASE_RATE))
        opened.callback(client.close)
        name = lease_name(self._configuration.installation, settings.name)
        identity = process_name(election)
        lease = LeaderLease(client, settings.controller_namespace, name, identity, election.duration)
        lease.start(
            partial(_log.info, "%s leads target %s", identity, settings.name),
            partial(_tell_lost, settings.name),
            lambda holder: _log.info("%s leads target %s; this one waits", holder, settings.name),
        )
        opened.callback(lease.stop)
        return lease

    def _builder(self, registry: RegistrySettings, security: str) -> RegistryBuilder:
        with self._lock:
            known = self._builders.get((registry, security))
            made = known or registry_builder(registry, security, self._configuration, self._engine)
            return self._builders.setdefault((registry, security), made)


def process_name(election: LeaderElection) -> str:
    """What this process is called in Leases and Events."""
    return election.identity or f"{socket.gethostname()}-{os.getpid()}"


def lease_name(installation: str, target: str) -> str:
    """The same for every process of an installation; fit for an object's name."""
    return f"pointsman-{slug(target, 40)}-{content_hash([installation, target], 6)}"


def _required(settings: TargetSettings) -> tuple[GatewaySettings, RegistrySettings]:
    if settings.gateway is None or settings.registry is None:
        raise Stalled(f"target {settings.name} has no gateway or no registry")
    return settings.gateway, settings.registry


def _connection(settings: TargetSettings) -> Connection:
    access = settings.access
    if not isinstance(access, KubeconfigAccess):
        return connect(in_cluster=True)
    kubeconfig = access.kubeconfig or kubeconfig_paths()
    return connect(kubeconfig=kubeconfig, context=access.context, allow_exec=settings.allow_exec)


def _facts(client: KubernetesClient, gateway: GatewaySettings) -> GatewayFacts:
    """A class that is not known would leave out what guards and times a route, so nothing is done without the Gateway."""
    facts = discover_gateway(client, gateway.namespace, gateway.name)
    if not facts.exists:
        hint = "make it (docs/guides/install-kubernetes.md), or correct the target's `gateway`"
        raise Stalled(f"the Gateway {gateway.namespace}/{gateway.name} does not exist", hint=hint)
    if not facts.controller:
        hint = "kubectl get gatewayclass; install the gateway's controller"
        raise Stalled(f"the GatewayClass of the Gateway {gateway.namespace}/{gateway.name} does not exist", hint=hint)
    return facts


def _tell_lost(target: str) -> None:
    _log.warning("the Lease of target %s is lost: another process leads, or the cluster does not answer; passes rest", target)
