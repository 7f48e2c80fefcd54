"""What a process runtime does not run: the base images that endpoints declare, and what is likely missing without them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.model.declared import Deployment, VersionEndpoint
from controller.model.desired import TargetProfile

_PYTHON = frozenset({"python", "docker.io/python", "library/python", "docker.io/library/python"})
_NOT_A_PACKAGE = frozenset({"base", "cpu", "cuda", "gpu", "image", "images", "latest", "micromamba", "miniconda3", "python"})
_VERSION = re.compile(r"(\d+\.\d+)")


def base_notices(deployment: Deployment, target: TargetProfile) -> tuple[str, ...]:
    """One sentence per endpoint and base that this target replaces by its own Python; none where images run."""
    if target.base_platform is None:
        return ()
    python = _python_of(target.base_platform)
    endpoints = (e for served in deployment.versions.values() for e in served.version.endpoints.values())
    return tuple(sorted({notice for e in endpoints for notice in _notice(e, python)}))


def _notice(endpoint: VersionEndpoint, python: str) -> Iterator[str]:
    repository, tag = _split(endpoint.base)
    lead = f"{endpoint.definition.name} runs on this machine's Python {python}, not on its base image {endpoint.base}"
    if repository not in _PYTHON:
        yield f"{lead}; {_missing(repository, endpoint)}"
    elif (wanted := _VERSION.match(tag)) and wanted[1] != python:
        yield lead


def _missing(repository: str, endpoint: VersionEndpoint) -> str:
    names = [n for n in re.split(r"[_.-]", repository.rpartition("/")[2]) if _may_be_a_package(n)]
    absent = [n for n in dict.fromkeys(names) if not _requires(endpoint.requirements or "", n)]
    guess = f" ({', '.join(absent)}?)" if absent else ""
    place = "uv.lock" if endpoint.locked else "requirements-deployment.txt"
    return f"what that image brings{guess} must be in {place}"


def _may_be_a_package(name: str) -> bool:
    return len(name) > 2 and name.isalpha() and name not in _NOT_A_PACKAGE


def _requires(requirements: str, name: str) -> bool:
    return re.search(rf"(?mi)^[ \t]*{re.escape(name)}\b", requirements) is not None


def _split(base: str) -> tuple[str, str]:
    """Repository and tag; a port's colon comes before the last slash, a tag's after it."""
    name = base.partition("@")[0]
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return f"{head}{slash}{last}", tag


def _python_of(platform: str) -> str:
    """`3.11` of `host:cpython-3.11-linux-x86_64`."""
    found = _VERSION.search(platform)
    return found[1] if found else platform
