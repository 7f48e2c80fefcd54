"""What an image is made of, and its key: the hash of what git alone says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.declared import FileContent
from controller.model.identity import content_hash
from controller.model.source import CodeTree

FORMAT = 2
"""Raised whenever the same specification gives other bytes."""

CODE_DIRECTORY = "/valohai/code"
"""Where the code lies: Valohai's own place, because published examples name it (valohai/yolov3-tf2)."""

OWN_DIRECTORY = "/opt/pointsman"
"""The one other directory that an image layer may write to: dependencies and the one-request shim."""


@dataclass(frozen=True, slots=True)
class BuildTerms:
    """What an image's build may do. It changes no byte of the image, so it is no part of the key.

    `allow_secrets` are patterns of the code's files that may look like secrets. `file_prefixes` are what the addresses of
    declared files may begin with; None where nobody grants, because who builds is who declared.
    """

    allow_secrets: tuple[str, ...] = ()
    file_prefixes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """One endpoint's image: base + dependencies + files + code + config.

    `base` is as written in git, or `host:<implementation>-<version>-<platform>` for the process runtime. `files` maps
    the path below the code directory to its content. `requirements` is the text to install; `wsgi` asks for the WSGI
    server too. `command` is the image's default command. `name` is `version/endpoint`, for people only.
    """

    repository: str
    base: str
    platform: str
    code: CodeTree
    command: str
    port: int
    files: Mapping[str, FileContent] = field(default_factory=dict)
    requirements: str | None = None
    wsgi: bool = False
    shim: bool = False
    name: str = field(default="", compare=False)
    base_digest: str = field(default="", compare=False)
    """What the base was when the unit first saw it: it wins over the tag, and is no part of the key."""
    locked: bool = False
    """Install what the code's `uv.lock` says; `requirements` is None then."""
    indexes: tuple[str, ...] = field(default=(), compare=False)
    """The package indexes that its source may use: the configuration grants them, so they are no part of the key."""
    terms: BuildTerms = field(default=BuildTerms(), compare=False)

    related: tuple[str, ...] = field(default=(), compare=False)
    """Digests of images in the same repository that hold some of the same files; no part of the key either."""

    @property
    def key(self) -> str:
        """40 hex digits. Equal keys mean equal images; it needs no network and no bytes but git's own."""
        files = [[path, c.sha256 or c.blob] for path, c in sorted(self.files.items())]
        code = [self.code.path, [list(entry) for entry in self.code.entries]]
        config = [self.command, self.port, self.wsgi, self.shim, *(["uv.lock"] if self.locked else [])]
        parts = [FORMAT, self.base, self.platform, code, files, self.requirements, config]
        return content_hash(parts, 40)

    @property
    def tag(self) -> str:
        return f"v-{self.key}"


@dataclass(frozen=True, slots=True)
class Image:
    """A built image. `reference` names it by digest, as pods do; `base_digest` is what the base tag meant when it was built."""

    key: str
    reference: str
    digest: str
    base_digest: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildFailure:
    """Why an image could not be built: for a person, in the builder's or the installer's own words."""

    key: str
    message: str
    hint: str | None = None
    permanent: bool = True
    repository: str = ""
    """Where it was to be: the same key is another image elsewhere."""


ImageState = Image | BuildFailure | None
"""What is known of an image key: built, failed, or not there yet (a build may be running)."""
