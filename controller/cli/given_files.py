"""`--file E/F=PATH|URL`: where a version's file has its bytes, with the digest of what lies behind a URL."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from controller.cli.progress import BuildProgress
from controller.embedded.state_directory import StateDirectory
from controller.images.download import Transfer, download, shown
from controller.images.durable import rename_durably
from controller.images.files import cached
from controller.model.errors import Stalled
from controller.source.repository import Repository

_GIVEN = re.compile(r"(?P<endpoint>[^/=]+)/(?P<file>[^=]+)=(?P<where>.+)")
_DIGEST = re.compile(r"[0-9a-f]{64}")

Sources = dict[tuple[str, str], dict[str, str]]
"""(endpoint, file) to what the version's file says of it: `path`, or `url` and `sha256`."""


@dataclass(frozen=True, slots=True)
class Code:
    """Where paths lead: the repository's root and the code's directory in it; `elsewhere` names another repository."""

    root: Path
    path: str = ""
    elsewhere: str | None = None


def sources_of(values: tuple[str, ...], code: Code, state: StateDirectory) -> Sources:
    """Every `--file` value. Files behind https URLs are read whole, once, and kept for the build."""
    return dict(_source(value, code, state) for value in values)


def _source(value: str, code: Code, state: StateDirectory) -> tuple[tuple[str, str], dict[str, str]]:
    match = _GIVEN.fullmatch(value)
    if not match:
        raise click.UsageError(f"--file {value}: write ENDPOINT/FILE=PATH or ENDPOINT/FILE=URL")
    where = match["where"]
    source = _url(where, state) if "://" in where else {"path": _path(where, code)}
    return (match["endpoint"], match["file"]), source


def _url(where: str, state: StateDirectory) -> dict[str, str]:
    url, _, digest = where.partition("#sha256=")
    scheme = url.partition("://")[0].lower()
    if scheme not in ("https", "s3", "gs", "abfs", "abfss"):
        raise Stalled(f"{shown(url)}: a version's file lies at https, s3, gs or abfs", hint="upload it there, or commit it")
    if digest and not _DIGEST.fullmatch(digest):
        raise click.UsageError(f"{shown(url)}: sha256 has 64 hexadecimal digits")
    if not digest and scheme != "https":
        hint = f"name the digest that `sha256sum FILE` prints: {shown(url)}#sha256=DIGEST"
        raise Stalled(f"{shown(url)} cannot be read from here to compute its sha256", hint=hint)
    return {"url": url, "sha256": digest or _digest(url, state)}


def _digest(url: str, state: StateDirectory) -> str:
    cache = state.create().cache
    with tempfile.TemporaryDirectory(dir=cache, prefix="incoming-") as directory, BuildProgress() as progress:
        partial = Path(directory) / "partial"
        digest = download(Transfer(url, partial), True, progress.report)
        kept = cached(cache, digest)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial.chmod(0o444)
        rename_durably(partial, kept)
    return digest


def _path(where: str, code: Code) -> str:
    """The path below the code's directory, of a file that git holds as it lies there."""
    if code.elsewhere:
        hint = "commit it there and write its `path` into the version's file, or give a URL"
        raise Stalled(f"{where}: the code lies in another repository", hint=hint)
    full = Path(where).expanduser().resolve()
    base = (code.root / code.path).resolve()
    if not full.is_relative_to(base):
        hint = "copy it there and commit it, or upload it and give its URL"
        raise Stalled(f"{where} lies outside the code in {base}", hint=hint)
    if not full.is_file():
        raise Stalled(f"there is no file {where}", hint="give a path from here, or a URL")
    path = full.relative_to(base).as_posix()
    _require_committed(code.root, full.relative_to(code.root.resolve()).as_posix())
    return path


def _require_committed(root: Path, path: str) -> None:
    """A version is made of a commit, so bytes that only lie on the disk would not be in it."""
    repository = Repository.around(root.resolve())
    if repository is None:
        raise Stalled(f"{root} is not in a git repository", hint="git init, then commit")
    held = repository.head() and repository.git().text("ls-tree", "HEAD", "--", path)
    if not held:
        raise Stalled(
            f"git does not hold {path} yet", hint=f"git add {path}; git commit. A large file: upload it, give its URL"
        )
    if not repository.git().succeeds("diff", "--quiet", "HEAD", "--", f":(literal){path}"):
        raise Stalled(f"{path} has changes that are not committed", hint=f"git commit {path}, then again")
