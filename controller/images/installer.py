"""Runs `uv pip install --target`: in its own process group, with a deadline, and with its errors in our words."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from uv import find_uv_bin

from controller.loading.printable import shown
from controller.model.errors import PointsmanError, Stalled, Transient

# Python 3.11 fills these without a lock, and a second thread reads them half full: so here, while one thread imports.
sysconfig.get_config_vars()

_TICK = 0.1
_PRUNING = 600.0
_LOG_END = 1 << 16
_TAIL_LINES = 15
_TAIL_CHARACTERS = 3000
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_SENSIBLE = re.compile(r"(?i)(UV_.*|PIP_.*|.*_PROXY|SSL_CERT_.*|XDG_.*|HOME|PATH|LANG|LC_.*|TMPDIR|USER|LOGNAME|NETRC)")

_TEMPORARY = re.compile(
    r"error sending request|dns error|connection (?:reset|refused|closed)|timed? ?out"
    r"|(?:error|status)[^\n]{0,40}\b(?:429|5\d\d)\b"
    r"|no space left|disk quota|network is unreachable",
    re.IGNORECASE,
)
_HINTS = (
    (r"no space left|disk quota", "free space in the cache directory"),
    (r"error sending request|dns error|network", "check the network and the package index; it is tried again"),
    (r"\b40[13]\b|unauthorized|forbidden", "the package index wants credentials: set UV_INDEX_URL or UV_INDEX_*_PASSWORD"),
    (r"couldn't parse", "correct this line of the requirements file"),
    (r"hash mismatch", "the index serves other bytes than the lock file says: renew the hashes"),
    (r"failed to build|build backend|build fail", "this package's own build failed: pin a version that has a wheel"),
    (
        r"no usable wheels|wheels are required",
        "no wheel fits the base image: pin a version that has one",
    ),
    (
        r"source distributions is disabled",
        "only wheels enter a container: publish this package as one",
    ),
    (r"no wheels|no source distribution", "no wheel fits this Python and platform: pin another version"),
    (r"requires-?python|python(?:_requires)?\s*[<>=]", "pin versions that support this Python"),
    (r"no solution found|not found in the package registry", "correct the name or the version in the requirements file"),
)


def installing_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What an installation may see of a process's environment: a package's build runs code of strangers."""
    return {name: value for name, value in environment.items() if _SENSIBLE.fullmatch(name)}


class Installer:
    """Installs requirement files into a directory with uv. `timeout` in seconds.

    `cache` is where uv keeps what it downloaded, unless `environment` says so itself; None leaves it to uv.
    """

    def __init__(
        self, *, environment: Mapping[str, str] | None = None, timeout: float = 1800.0, cache: Path | None = None
    ) -> None:
        self._environment = None if environment is None else installing_environment(environment)
        self._cache = cache
        if cache and self._environment is not None:
            self._environment = {"UV_CACHE_DIR": str(cache), **self._environment}
        self._timeout = timeout
        self._uv = find_uv_bin()

    def install(
        self,
        files: Sequence[Path],
        target: Path,
        python: Path,
        directory: Path,
        tick: Callable[[], None],
        *,
        options: Sequence[str] = (),
    ) -> None:
        """Install with `directory` as the root of local paths. `tick` is called while it runs and may raise to give up.

        `options` are uv's own, for a Python that is not `python` itself.
        Raises `Transient` for a fault that may pass (network, disk), `Stalled` for the rest, in uv's own words.
        """
        command = [self._uv, "pip", "install", "--target", str(target), "--python", str(python), "--link-mode", "hardlink"]
        command += ["--no-python-downloads", "--no-progress", "--color", "never", "--quiet", *options]
        for file in files:
            command += ["--requirements", str(file)]
        log = target.with_name("install.log")
        with log.open("wb") as output:
            code = self._run(command, directory, output.fileno(), tick)
        if code:
            raise failure(_end_of(log).replace(f"{directory}/", ""))

    def prune(self, before: float) -> None:
        """Empty the `cache` if that was last done before a time (seconds since the epoch); uv itself waits for who uses it."""
        mark = self._cache / "CACHEDIR.TAG" if self._cache else None
        if mark is None or not mark.exists() or mark.stat().st_mtime > before:
            return
        mark.touch()
        command = [self._uv, "cache", "prune", "--ci", "--quiet", "--cache-dir", str(mark.parent)]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PRUNING, check=False)

    def _run(self, command: list[str], directory: Path, output: int, tick: Callable[[], None]) -> int:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            return self._wait(process, tick)
        except BaseException:
            _kill_group(process)
            raise

    def _wait(self, process: subprocess.Popen[bytes], tick: Callable[[], None]) -> int:
        deadline = time.monotonic() + self._timeout
        while True:
            tick()
            try:
                return process.wait(_TICK)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    hint = "check the network and the package index; it is tried again"
                    raise Transient(f"installing the requirements took longer than {self._timeout:g} s", hint=hint) from None


def failure(output: str) -> PointsmanError:
    """Uv's last lines as an error of ours, with the next step."""
    text = _CREDENTIALS.sub("***@", output).strip()
    tail = "\n".join(map(shown, text.splitlines()[-_TAIL_LINES:]))[-_TAIL_CHARACTERS:]
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, text, re.IGNORECASE)), None)
    kind = Transient if _TEMPORARY.search(text) else Stalled
    return kind(f"the requirements cannot be installed:\n{tail or 'uv said nothing'}", hint=hint)


def _end_of(log: Path) -> str:
    """What decides of a log, which a package's build may have filled with anything."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_END))
        return file.read(_LOG_END).decode(errors="replace")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End uv and the builds that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
