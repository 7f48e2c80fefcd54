"""The daemon's own part in cleaning a registry: which sources must be fresh, who does it, and what is told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.cli.running.cluster_target import ClusterTargets
from controller.cli.running.meaning import meaning
from controller.cli.running.registry_cleaning import RegistryCleaning
from controller.cli.running.sources import granted, polled_source
from controller.engine.controller import Controller
from controller.engine.passes import PassResult
from controller.engine.sources import Publication
from controller.engine.targets import Target
from controller.loading.configuration import load_configuration
from controller.model.configuration import Configuration
from controller.source.polled import PolledMirror
from controller.state.history import FileHistory
from tests.engine.cleaning import ALIAS, AT_ONCE, DEPLOYMENT, REPOSITORY, version_file
from tests.engine.several import Declared, Several, several
from tests.images.base_images import push_base
from tests.images.registry_server import Registry, running_registry

pytestmark = pytest.mark.system

LONGEST = 60.0


def configured(folder: Path, registry: Registry, keep: str = "") -> Configuration:
    """Two targets that push to one registry, and a source of each of two projects."""
    clean_up = f", cleanUp: {{keep: {keep}}}" if keep else ""
    target = (
        f'gateway: {{url: "http://127.0.0.1:1"}}, '
        f'registry: {{url: "{registry.url}/pointsman", pull: "{registry.address}/pointsman", insecure: true{clean_up}}}'
    )
    text = (
        f"format: 1\nstate: {{directory: state}}\nimages: {{mirrors: {{docker.io: {registry.url}}}}}\n"
        f"sources:\n"
        f'  shop: {{repository: "file://{folder}/shop", interval: 1s, grants: {{projects: [acme/shop], targets: ["*"]}}}}\n'
        f'  other: {{repository: "file://{folder}/other", interval: 1s, grants: {{projects: [acme/other]}}}}\n'
        f"targets:\n"
        f"  east: {{default: true, kubernetes: {{context: east}}, {target}}}\n"
        f"  west: {{kubernetes: {{context: west}}, {target}}}\n"
    )
    found = load_configuration(text.encode(), folder / "controller.yaml", state_home=folder / "home")
    assert found.configuration, found.diagnostics
    return found.configuration


class Daemon:
    """What `pointsman run` assembles, on embedded stores in place of the two clusters."""

    def __init__(self, configuration: Configuration, targets: Several, clusters: ClusterTargets) -> None:
        self.sources = {name: polled_source(s, configuration.state) for name, s in configuration.sources.items()}
        self.controller = Controller(
            [_changed(configuration, clusters, name, target) for name, target in targets.targets.items()],
            [granted(configuration.sources[name], source, configuration) for name, source in self.sources.items()],
            FileHistory(targets.directory / "history"),
            default="east",
            interval=0.05,
            workers=2,
        )
        self.cleaning = RegistryCleaning(configuration, (), self.controller, clusters, self.sources)

    def serves(self, declared: Declared, version: str) -> bool:
        result = self.controller.result(declared.unit, "east")
        published = any(version in p.declared.versions for p in self.controller.publications() if p is result_of(result))
        return bool(result and published and result.plan.is_settled)


def result_of(result: PassResult | None) -> Publication | None:
    return result.publication if result else None


@contextmanager
def started(configuration: Configuration, targets: Several) -> Iterator[Daemon]:
    clusters = ClusterTargets(configuration)
    daemon = Daemon(configuration, targets, clusters)
    try:
        daemon.controller.start()
        for source in daemon.sources.values():
            source.start(daemon.controller.wake)
        with daemon.cleaning:
            yield daemon
    finally:
        daemon.controller.stop()
        for source in daemon.sources.values():
            source.close()
        clusters.close()


def _changed(configuration: Configuration, clusters: ClusterTargets, name: str, target: Target) -> Target:
    settings = configuration.targets[name]
    assert settings.registry
    builder = clusters._builder(settings.registry, settings.security)
    return replace(
        target, builder=builder, profile=replace(target.profile, registry=settings.registry.pull, base_platform=None)
    )


def soon(check: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + LONGEST
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        push_base(running.url)
        yield running


def test_images_go_while_the_daemon_runs_and_a_dead_source_keeps_only_its_own(
    tmp_path: Path, registry: Registry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.cli.running.registry_cleaning.PATIENCE", 3.0)
    caplog.set_level(logging.INFO)
    shop, other = Declared(tmp_path / "shop", "shop", "east"), Declared(tmp_path / "other", "other", "east")
    for declared in (shop, other):
        declared.commit({DEPLOYMENT: AT_ONCE})
    other.commit({version_file("v1"): None})
    other.commit({"serve.py": "print('other')\n", version_file("v0"): "{}\n", ALIAS: 'version: "v0"\n'})
    configuration = configured(tmp_path, registry, "4s")
    with several(tmp_path / "targets", "east", "west") as targets, started(configuration, targets) as daemon:
        assert soon(lambda: len(registry.tags(REPOSITORY)) == len(registry.tags("pointsman/acme/other")) == 1)
        for declared in (shop, other):
            text = f"print('{declared.unit.project}')\n"
            declared.commit({"later.py": text, version_file("v2"): "{}\n", ALIAS: 'version: "v2"\n'})
        assert soon(lambda: len(registry.tags(REPOSITORY)) == len(registry.tags("pointsman/acme/other")) == 2)
        assert soon(lambda: daemon.serves(shop, "v2"))
        (tmp_path / "other").rename(tmp_path / "away")
        assert soon(lambda: daemon.sources["other"].error)
        shop.commit({version_file("v1"): None})
        assert soon(lambda: len(registry.tags(REPOSITORY)) == 1)
        assert soon(lambda: daemon.cleaning.troubles)
        (trouble,) = daemon.cleaning.troubles
        assert "acme/other: source other, which may declare it, cannot be read: " in trouble
        assert len(registry.tags("pointsman/acme/other")) == 2
        assert sum(trouble in record.message for record in caplog.records) == 1, "told once"


def test_without_the_setting_nothing_is_ever_deleted_and_check_says_so(tmp_path: Path, registry: Registry) -> None:
    off, on = configured(tmp_path, registry), configured(tmp_path, registry, "30d")
    assert any("never deleted" in line for line in meaning(off, ()))
    assert any("deleted once nothing has needed them for 30d" in line for line in meaning(on, ()))
    clusters = ClusterTargets(off)
    controller = Controller([], [], FileHistory(tmp_path / "history"))
    no_sources: dict[str, PolledMirror] = {}
    assert RegistryCleaning(off, (), controller, clusters, no_sources)._registries == ()
    assert len(RegistryCleaning(on, (), controller, clusters, no_sources)._registries) == 1


def test_a_process_that_has_not_all_targets_of_a_registry_says_so_and_deletes_nothing(
    tmp_path: Path, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    on = configured(tmp_path, registry, "30d")
    controller = Controller([], [], FileHistory(tmp_path / "history"))
    made = RegistryCleaning(on, {"east"}, controller, ClusterTargets(on), {})
    assert made._registries == ()
    assert "another process has target west" in caplog.text
