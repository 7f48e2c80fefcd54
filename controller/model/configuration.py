"""What `pointsman run --config` is told: sources with their grants, targets with their gateways and registries.

Paths are absolute; durations are seconds. docs/reference/configuration.md explains every setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from controller.model.diagnostics import Location
from controller.model.limits import Limits

_USUAL = Limits()

APPEND_BUILDER, DOCKER_BUILDER = BUILDERS = ("append", "docker")
"""How images get into a registry: layers are appended to the base there, or a Docker Engine builds and pushes."""

AUTO, DOCKER, PROCESS = RUNTIMES = ("auto", "docker", "process")
"""What runs the endpoints of an embedded target; `auto` is Docker if an Engine answers."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a repository is read. All of these name files, which are read at every use; no secret is in the configuration."""

    token: Path | None = None
    username: str = "x-access-token"
    authorities: Path | None = None
    ssh_key: Path | None = None
    known_hosts: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that must be there."""
        return tuple(f for f in (self.token, self.authorities, self.ssh_key, self.known_hosts) if f)


@dataclass(frozen=True, slots=True)
class Grants:
    """What a source may use: git claims, only this counts. `*` in a project or target stands for any name.

    `base_images` None grants any.
    """

    projects: tuple[str, ...]
    targets: tuple[str, ...]
    code_repositories: tuple[str, ...] = ()
    file_prefixes: tuple[str, ...] = ()
    base_images: tuple[str, ...] | None = None
    indexes: tuple[str, ...] = ()

    def allows_project(self, project: str) -> bool:
        """Whether `owner/project` may be declared."""
        owner, _, name = project.partition("/")
        parts = (pattern.partition("/") for pattern in self.projects)
        return any(fnmatchcase(owner, o) and fnmatchcase(name, n) for o, _, n in parts)

    def allows_target(self, target: str) -> bool:
        """Whether deployments may go to this target."""
        return "*" in self.targets or target in self.targets


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One repository that is followed; `branch` None follows its default branch."""

    name: str
    repository: str
    grants: Grants
    branch: str | None = None
    path: str = "pointsman"
    interval: float = 60.0
    credentials: Credentials = Credentials()
    location: Location = Location("")

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine, which only the configuration may name."""
        return self.repository.startswith(("/", "file://"))


@dataclass(frozen=True, slots=True)
class KubeconfigAccess:
    """A cluster by a kubeconfig; None: `$KUBECONFIG` or its default, and its current context."""

    kubeconfig: Path | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class InClusterAccess:
    """The cluster in whose pod this process runs."""


@dataclass(frozen=True, slots=True)
class EmbeddedAccess:
    """A cluster inside this process; `port` None is chosen once and kept."""

    state: Path
    port: int | None = None
    runtime: str = AUTO


Access = KubeconfigAccess | InClusterAccess | EmbeddedAccess


@dataclass(frozen=True, slots=True)
class GatewayPods:
    """Where a gateway's replicas run, and the port on which they answer plain HTTP."""

    namespace: str
    selector: Mapping[str, str]
    port: int


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """The Gateway that leads to endpoints. Its replicas are `replicas`, or found by `pods`, or unknown behind `url`."""

    url: str
    namespace: str = "gateways"
    name: str = "pointsman"
    listener: str | None = None
    hostnames: tuple[str, ...] = ()
    replicas: tuple[str, ...] = ()
    pods: GatewayPods | None = None


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Images that nothing has needed for `keep` seconds are deleted."""

    keep: float


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Images are pushed below `url` and pulled below `pull`; `credentials` is a file like docker's config.json.

    `clean_up` None keeps every image for ever. `builder` is one of `BUILDERS`.
    """

    url: str
    pull: str
    credentials: Path | None = None
    insecure: bool = False
    clean_up: CleanUp | None = None
    limits: Limits = _USUAL
    builder: str = APPEND_BUILDER

    @property
    def address(self) -> str:
        """The same for every way of writing `url`."""
        return self.url.partition("://")[2].rstrip("/").lower()

    def is_of(self, other: RegistrySettings) -> bool:
        """Whether the images of both lie, or may lie, in the same repositories."""
        return self.address == other.address or self.pull == other.pull


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """One cluster; `gateway` and `registry` are None on the embedded one, which has its own."""

    name: str
    access: Access
    gateway: GatewaySettings | None = None
    registry: RegistrySettings | None = None
    allow_exec: tuple[str, ...] = ()
    security: str = "root-bounded"
    pull_secrets: tuple[str, ...] = ()
    open_access: bool = True
    namespace: str | None = None
    controller_namespace: str = "pointsman-system"
    min_ready_seconds: int | None = None
    drain: float | None = None
    qps: float = 100.0
    burst: int = 200
    location: Location = Location("")


def sharing_registries(targets: Iterable[TargetSettings]) -> tuple[tuple[TargetSettings, ...], ...]:
    """The targets that have a registry, those together whose images lie in the same repositories."""
    groups: list[list[TargetSettings]] = []
    for target in targets:
        if target.registry:
            touching = [group for group in groups if any(_shares(target.registry, other) for other in group)]
            groups = [group for group in groups if group not in touching]
            groups.append([*(other for group in touching for other in group), target])
    return tuple(tuple(group) for group in groups)


def _shares(registry: RegistrySettings, other: TargetSettings) -> bool:
    return other.registry is not None and registry.is_of(other.registry)


INDEX_USER = "__token__"
"""The user name that package indexes take with a token of theirs."""


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """Where packages come from; `password` is a file. The default one takes the place of the public index, for everybody."""

    name: str
    url: str
    is_default: bool = False
    username: str = INDEX_USER
    password: Path | None = None
    location: Location = field(default=Location(""), compare=False)


@dataclass(frozen=True, slots=True)
class StateSettings:
    """Directories of what can be made again."""

    directory: Path
    cache: Path
    mirrors: Path
    history: Path


@dataclass(frozen=True, slots=True)
class LeaderElection:
    """`identity` None means host name and process id."""

    enabled: bool = True
    duration: float = 15.0
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of a `controller.yaml`, free of mistakes; `default` is the target of deployments that name none."""

    sources: Mapping[str, SourceSettings]
    targets: Mapping[str, TargetSettings]
    default: str
    state: StateSettings
    installation: str = "default"
    mirrors: Mapping[str, str] = field(default_factory=dict)
    platform: str = "linux/amd64"
    package_indexes: Mapping[str, PackageIndex] | None = None
    """The only places that packages come from, besides the public index; None: the account's own configuration counts."""
    leader_election: LeaderElection = LeaderElection()
    concurrency: int = 8
    log: str | None = None
    health: tuple[str, int] = ("127.0.0.1", 8081)
