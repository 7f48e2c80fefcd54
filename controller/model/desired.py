"""The declared state rendered for one unit on its target: objects with holes where the plan decides (backend, replicas)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.declared import GoldenRequest, Rollout, Scale, SecretRef
from controller.model.diagnostics import Diagnostic, Subject
from controller.model.identity import ObjectKey, UnitKey
from controller.model.images import ImageSpec, ImageState
from controller.model.objects import Object
from controller.model.source import Release, Revision, releases_hold


@dataclass(frozen=True, slots=True)
class TargetProfile:
    """What rendering must know of a target. `url` is the gateway's own, without a trailing slash.

    `gateway_class` is the `controllerName` of the gateway's class, `features` what that class says it supports
    (GatewayClass `status.supportedFeatures`), `listener` the Gateway's listener (None: any), `hostnames` those of every
    route (none: any). `base_platform` is set on the process runtime only: it takes the place of every base image.
    `registry` is where images are pulled from, by pods. `namespace`, where given, is used for every project.
    `security` is one of `root-bounded`, `restricted`, `none`; `open_access` allows deployments without `access`.
    """

    name: str
    kind: str
    url: str
    gateway: str
    gateway_namespace: str
    gateway_class: str
    platform: str
    min_ready_seconds: int = 10
    base_platform: str | None = None
    registry: str = "pointsman.local"
    installation: str = "default"
    drain_seconds: float = 30.0
    features: frozenset[str] = frozenset()
    listener: str | None = None
    hostnames: tuple[str, ...] = ()
    namespace: str | None = None
    security: str = "root-bounded"
    pull_secrets: tuple[str, ...] = ()
    open_access: bool = True

    def namespace_of(self, unit: UnitKey) -> str:
        """Where the objects and the record of a unit lie on this target."""
        return self.namespace or unit.namespace


@dataclass(frozen=True, slots=True)
class Workload:
    """One endpoint of one version with one set of settings: its objects and what the plan must know to run it.

    `deployment` carries no `spec.replicas`; `autoscaler` and `disruption` exist only while an alias or pin serves it.
    """

    name: str
    version: str
    endpoint: str
    deployment: Object
    service: Object
    port: int
    scale: Scale
    spec: ImageSpec
    image: ImageState
    autoscaler: Object | None = None
    disruption: Object | None = None
    secrets: tuple[SecretRef, ...] = ()
    golden: tuple[GoldenRequest, ...] = ()
    min_ready_seconds: int = 10
    timeout: float = 60.0

    @property
    def objects(self) -> tuple[Object, ...]:
        return (self.deployment, self.service)


@dataclass(frozen=True, slots=True)
class Route:
    """One URL = one HTTPRoute = one rule. `template` lacks its backend: `routes.with_backend` fills it in.

    `policy` is what has to be there before the route, for gateways whose access rules name a route.
    """

    key: ObjectKey
    path: str
    endpoint: str
    template: Object
    policy: Object | None = None


@dataclass(frozen=True, slots=True)
class RouteGuard:
    """What makes any route of a unit ask for a password: its first filters, and request headers that endpoints must not see.

    `policy` lacks the name of its route, which is its own too; None for gateways that need no such object.
    """

    filters: tuple[Object, ...] = ()
    removed: tuple[str, ...] = ()
    policy: Object | None = None


@dataclass(frozen=True, slots=True)
class AliasRoutes:
    """All routes of one alias, which move together. `file` is the alias file's path in the repository."""

    name: str
    version: str
    file: str
    routes: Mapping[str, Route]


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything one unit should have on its target.

    `workloads` and `version_routes` are keyed by (version, endpoint). `shared` are objects that belong to the whole
    unit. `held` are the subjects (alias, version) whose mistakes keep what is there. `alias_files` maps every alias
    that git knows or knew to its file, `removed_released(path)` answers whether its removal is allowed.
    `gone` means that the deployment is no longer declared: everything is to go, behind its hold.
    """

    unit: UnitKey
    revision: Revision
    namespace: str
    shared: tuple[Object, ...] = ()
    workloads: Mapping[tuple[str, str], Workload] = field(default_factory=dict)
    version_routes: Mapping[tuple[str, str], Route] = field(default_factory=dict)
    aliases: Mapping[str, AliasRoutes] = field(default_factory=dict)
    held: Mapping[Subject, tuple[Diagnostic, ...]] = field(default_factory=dict)
    idle_replicas: int = 1
    rollout: Rollout = Rollout()
    drain_seconds: float = 30.0
    directory: str = "pointsman"
    changed: Mapping[str, int] = field(default_factory=dict)
    releases: tuple[Release, ...] = ()
    rewritten: bool = False
    gone: bool = False
    notices: tuple[str, ...] = ()
    """What a person should know before anything starts; they change nothing."""
    undeclared: bool = False
    """Git never had it, so no removal waits for a person: what `up` served before there was a declared tree."""
    target: TargetProfile | None = None
    """What it was rendered for."""
    guards: tuple[ObjectKey, ...] = ()
    """What the gateway asks for passwords with, for the whole unit: unless all of it is in `shared` or on the target, no
    route is written, so that none is ever open."""
    moved: str | None = None
    """The target that a `gone` deployment left this one for: no person has to release that."""
    moved_ready: bool = False
    """Whether it is Ready there; until then everything stays here."""
    route_guard: RouteGuard | None = None
    """For routes that are not declared and stay; None where nobody is asked for a password."""

    def released(self, path: str) -> bool:
        """Whether a commit since the last change of `path` carries this deployment's `Pointsman-Allow-Prune` line."""
        return self.undeclared or releases_hold(self.changed, self.releases, self.unit.deployment, path)
