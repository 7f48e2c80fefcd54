"""A unit whose images a real builder pushes to a real registry, and the same unit after a restart on an empty disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.declared_repository import deployment_name
from controller.engine.builds import Builds
from controller.engine.passes import Passes
from controller.engine.reporting import Reporter
from controller.engine.sight import Sight
from controller.engine.steps import unobserved
from controller.engine.targets import Target
from controller.images.registry.builder import RegistryBuilder
from controller.model.identity import UnitKey
from controller.model.objects import Object, at
from controller.state.history import FileHistory
from tests.engine.commits import commit_files
from tests.engine.settling import Settling
from tests.images.registry_server import Registry

BASE = "python:3.11"
UNIT = UnitKey("bench", "mark", deployment_name(0))
PROJECT = "pointsman/bench/mark"


@contextmanager
def building(registry: Registry, cache: Path, **options: Any) -> Iterator[Callable[[Target], Target]]:
    """Makes targets that run containers from the registry, which also stands for Docker Hub. `options` are the builder's."""
    pull = f"{registry.address}/pointsman"
    mirrors = {"docker.io": registry.url}
    with RegistryBuilder(f"{registry.url}/pointsman", pull, cache, mirrors=mirrors, **options) as builder:

        def changed(target: Target) -> Target:
            profile = replace(target.profile, registry=pull, base_platform=None)
            return replace(target, builder=builder, profile=profile)

        yield changed


@contextmanager
def new_process(made: Settling, registry: Registry, directory: Path, **options: Any) -> Iterator[Settling]:
    """The same unit after a restart on a new disk: nothing is known but what the target and the registry say."""
    with ExitStack() as opened:
        target = opened.enter_context(building(registry, directory, **options))(made.target)
        builds = Builds(lambda *_: None)
        opened.callback(builds.close)
        passes = Passes(builds, Reporter(FileHistory(directory / "history"), None), unobserved, lambda _: None)
        opened.callback(passes.close)
        yield replace(made, target=target, sight=Sight(target, made.sight.cache), passes=passes)


def release(made: Settling, version: str, files: Mapping[str, str] = {}) -> None:
    """Commit a version with new code, and let the alias lead to it."""
    alias = f"pointsman/deployments/{UNIT.deployment}/aliases/production.yaml"
    declared = {
        "serve.py": f"print('{version}')\n",
        f"pointsman/versions/{version}.yaml": "{}\n",
        alias: f'version: "{version}"\n',
    }
    commit_files(made.repository, {**declared, **files})
    made.read()


def references(made: Settling) -> dict[str, str]:
    """The image of each workload on the target."""
    found = made.store.list("Deployment").items
    return {str(obj["metadata"]["name"]): _image(obj) for obj in found}


def _image(deployment: Object) -> str:
    return str(at(deployment, "spec", "template", "spec", "containers", 0, "image"))
