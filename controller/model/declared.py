"""What the repository declares: one project's deployments, versions and aliases, checked and with inheritance applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.model.diagnostics import Diagnostic, Location, Subject
from controller.model.source import CodeTree, Revision

DEFAULT_PORT = 8000
USERS_KEY = ".htpasswd"
"""The key of an `access` Secret that lists who may come in."""


@dataclass(frozen=True, slots=True, order=True)
class SecretRef:
    """A key of a Secret on the target; the value itself never enters the program's core."""

    secret: str
    key: str


Environment = Mapping[str, "str | SecretRef"]


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """One of `valohai.yaml`'s `files`: its name and where it lies below the code directory."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class EndpointDefinition:
    """An `endpoint` item of `valohai.yaml`; exactly one of `command` and `wsgi` is set. A list command is joined already."""

    name: str
    image: str
    command: str | None = None
    wsgi: str | None = None
    port: int = DEFAULT_PORT
    description: str = ""
    files: tuple[DeclaredFile, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    node_selector: str = ""
    tolerations: tuple[Mapping[str, str], ...] = ()
    location: Location = Location("valohai.yaml")
    image_location: Location = Location("valohai.yaml")


@dataclass(frozen=True, slots=True)
class Scale:
    """How many replicas a version has that an alias or pin names; equal bounds mean a fixed number. `cpu` in per cent."""

    min: int = 1
    max: int = 1
    cpu: int | None = None


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What a deployment says of an endpoint, all levels merged. `timeout` in seconds; `health` a path or None for TCP."""

    scale: Scale = Scale()
    health: str | None = None
    timeout: float = 60.0
    environment: Environment = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    node_selector: str = ""
    tolerations: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a switch proceeds. `deadline` and `keep_warm` in seconds; `strategy` is `surge` or `recreate`."""

    deadline: float = 600.0
    strategy: str = "surge"
    keep_warm: float = 86400.0


@dataclass(frozen=True, slots=True)
class FileContent:
    """Where a declared file's bytes come from: `path` in the code at the commit, or `url` with its `sha256`.

    `blob` is git's id of the bytes at `path`, so that identity needs no download.
    """

    path: str | None = None
    url: str | None = None
    sha256: str | None = None
    blob: str | None = None


@dataclass(frozen=True, slots=True)
class GoldenRequest:
    """A request with its expected answer: the gate before an alias may move.

    `body` is complete (a form is encoded already, `headers` name its type). `json` is a subset
    match and counts only with `expects_json`: null is an expectation too.
    """

    name: str
    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    status: int = 200
    json: Any = None
    expects_json: bool = False
    text: str | None = None


@dataclass(frozen=True, slots=True)
class VersionEndpoint:
    """One endpoint of one version: what to build. `base` is as written.

    `base_location` is where it is written: in the version's file, or in `valohai.yaml`. `requirements` is the text that
    is installed; `locked` says that the code's `uv.lock` is, in its place.
    """

    definition: EndpointDefinition
    base: str
    files: Mapping[str, FileContent] = field(default_factory=dict)
    requirements: str | None = None
    locked: bool = False
    golden: tuple[GoldenRequest, ...] = ()
    base_location: Location = Location("valohai.yaml")


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable artifact of the project. `deployments` None means all.

    `committed` is False for a version that git does not hold yet: its `commit` is the id of a tree.
    """

    name: str
    commit: str
    code: CodeTree
    endpoints: Mapping[str, VersionEndpoint]
    enabled: bool = True
    provisional: bool = False
    deployments: frozenset[str] | None = None
    location: Location = Location("")
    committed: bool = True


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version on one deployment, with the settings of each of its endpoints there."""

    version: Version
    settings: Mapping[str, EndpointSettings]


@dataclass(frozen=True, slots=True)
class Alias:
    """A name whose URL leads to one version."""

    name: str
    version: str
    location: Location


@dataclass(frozen=True, slots=True)
class Deployment:
    """Versions served on one target. `versions` holds the enabled ones that are meant for this deployment."""

    name: str
    versions: Mapping[str, ServedVersion]
    aliases: Mapping[str, Alias]
    target: str | None = None
    basic_auth: str | None = None
    """The Secret whose key `.htpasswd` lists who may come in; None = open."""
    idle_replicas: int = 1
    rollout: Rollout = Rollout()
    location: Location = Location("")


@dataclass(frozen=True, slots=True)
class DeclaredState:
    """Everything that one snapshot declares, as far as it is free of mistakes.

    `held` maps what a mistake holds (project, deployment, version, alias) to its diagnostics. A held deployment is
    absent from `deployments`, a held alias from its deployment's `aliases`, a held version from `versions`; whatever
    they name on the target stays as it is. A held project has no deployments at all. A version whose file was edited
    later is held too (the edit is), but stays in `versions` as its first text says.
    """

    revision: Revision
    owner: str = ""
    project: str = ""
    versions: Mapping[str, Version] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    held: Mapping[Subject, tuple[Diagnostic, ...]] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    indexes: tuple[str, ...] = ()
    """The package indexes that the controller's configuration grants to the source, by name."""
    allow_secrets: tuple[str, ...] = ()
    """Patterns of the code's files that may look like secrets, as this revision says for every version's build."""
    file_prefixes: tuple[str, ...] | None = None
    """What the configuration lets addresses of files begin with; None where there is none."""
