"""Installs requirement files into a directory with uv, from the indexes that a source may use."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from controller.images.host import base_interpreter
from controller.images.indexes import Indexes, UvConfiguration, granted_indexes
from controller.images.installer_words import Circumstances, failure, secrets_of
from controller.images.uv_process import UvRun, end_of, run_uv
from controller.model.configuration import PackageIndex
from controller.model.errors import Stalled
from controller.model.identity import content_hash

_PRUNING = 600.0
_SENSIBLE = re.compile(r"(?i)(UV_.*|PIP_.*|.*_PROXY|SSL_CERT_.*|XDG_.*|HOME|PATH|LANG|LC_.*|TMPDIR|USER|LOGNAME|NETRC)")
_BESIDE_INDEXES = re.compile(
    r"(?i)(UV_(HTTP|CONCURRENT)_.*|UV_(NATIVE_TLS|SYSTEM_CERTS|REQUEST_TIMEOUT)|.*_PROXY|SSL_CERT_.*|PATH|LANG|LC_.*|TMPDIR)"
)
"""What counts although the controller's configuration says where packages come from."""


def installing_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What an installation may see of a process's environment: a package's build runs code of strangers."""
    return {name: value for name, value in environment.items() if _SENSIBLE.fullmatch(name)}


@dataclass(frozen=True, slots=True)
class Python:
    """The Python that packages are for: `version` is `major.minor`.

    `identity` stands for it in a layer's inputs, `options` are what an installation for it needs. `words` say what it is
    in a sentence, `instead` what else may help where a package has nothing for it. `only_wheels`: nothing can be built.
    """

    version: str
    identity: str
    options: tuple[str, ...] = ()
    words: str = "this Python and platform"
    instead: str = ""
    only_wheels: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one run of uv installs: `files` with uv's `options`.

    `directory` is the root of local paths; `indexes` None means the account's own configuration. `origin` is the
    address of the index that a lock names.
    """

    files: Sequence[Path]
    directory: Path
    options: Sequence[str] = ()
    indexes: Indexes | None = None
    origin: str = ""


class Installer:
    """`timeout` in seconds, of one run.

    `cache` is where uv keeps what it downloaded, unless `environment` says so itself; None leaves it to uv. `indexes`
    are the configuration's, by name; None means that the account's own configuration of uv counts.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float = 1800.0,
        cache: Path | None = None,
        indexes: Mapping[str, PackageIndex] | None = None,
    ) -> None:
        self._environment = None if environment is None else installing_environment(environment)
        self._cache = cache
        if cache and self._environment is not None:
            self._environment = {"UV_CACHE_DIR": str(cache), **self._environment}
        self._timeout = timeout
        self._indexes = indexes

    def indexes(self, granted: Iterable[str]) -> Indexes | None:
        """What a source with these grants may install from; None where the account's own configuration decides."""
        return None if self._indexes is None else granted_indexes(self._indexes, granted)

    def install(self, wanted: Wanted, target: Path, python: Python, tick: Callable[[], None]) -> None:
        """Install into `target` for `python`. `tick` is called while it runs and may raise to give up.

        Raises `Transient` for a fault that may pass (network, disk), `Stalled` for the rest, in uv's own words.
        """
        arguments = ["pip", "install", "--target", str(target), "--python", str(base_interpreter()), "--link-mode", "hardlink"]
        arguments += ["--no-python-downloads", "--no-progress", "--color", "never", "--quiet", *python.options, *wanted.options]
        for file in wanted.files:
            arguments += ["--requirements", str(file)]
        given = wanted.indexes.configuration() if wanted.indexes else UvConfiguration(secrets=secrets_of(self._environment))
        log = target.with_name("install.log")
        environment = self._environment if wanted.indexes is None else self._clean_environment(wanted.indexes, log.parent)
        run = UvRun(arguments, wanted.directory, log, environment, given.text)
        if run_uv(run, self._timeout, tick):
            about = Circumstances(python.words, python.instead, wanted.indexes, given.secrets, wanted.origin)
            raise failure(end_of(log).replace(f"{wanted.directory}/", ""), about)

    def export(self, directory: Path, group: str | None, tick: Callable[[], None]) -> str:
        """What the `uv.lock` in a directory says as requirements: of a dependency group, or of the project itself.

        Raises `Stalled` in uv's own words. Neither the network nor anything of the project is used.
        """
        arguments = [
            "export",
            "--frozen",
            "--offline",
            "--no-config",
            "--no-python-downloads",
            "--no-emit-project",
            "--no-header",
        ]
        arguments += ["--no-annotate", "--no-default-groups", "--no-progress", "--color", "never", "--quiet"]
        arguments += ["--only-group", group] if group else []
        arguments += ["--cache-dir", str(directory / "cache")]
        log, output = directory / "export.log", directory / "exported.txt"
        environment = {"PATH": os.defpath, "HOME": str(directory)}
        if run_uv(UvRun(arguments, directory, log, environment, output=output), self._timeout, tick):
            words = end_of(log).replace(f"{directory}/", "").strip()
            raise Stalled(
                f"uv.lock cannot be used:\n{words}", hint="run `uv lock` and commit pyproject.toml and uv.lock together"
            )
        return output.read_text("utf-8")

    def prune(self, before: float) -> None:
        """Empty the caches if that was last done before a time (seconds since the epoch); uv itself waits for who uses them."""
        for cache in self._cache.parent.glob(f"{self._cache.name}*") if self._cache else ():
            mark = cache / "CACHEDIR.TAG"
            if mark.exists() and mark.stat().st_mtime <= before:
                mark.touch()
                command = [find_uv_bin(), "cache", "prune", "--ci", "--quiet", "--cache-dir", str(cache)]
                with suppress(subprocess.TimeoutExpired):
                    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PRUNING, check=False)

    def _clean_environment(self, indexes: Indexes, home: Path) -> dict[str, str]:
        """Without what says where packages come from, and without logins. A cache asks for none: each set has its own."""
        kept = {name: value for name, value in (self._environment or {}).items() if _BESIDE_INDEXES.fullmatch(name)}
        kept["HOME"] = str(home)
        if self._cache:
            kept["UV_CACHE_DIR"] = str(self._cache.with_name(f"{self._cache.name}-{content_hash(indexes.identity, 12)}"))
        return kept
