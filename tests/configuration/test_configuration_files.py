"""Good and bad `controller.yaml` files: every message names line, column and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.cli.running.builders import with_builder
from controller.cli.running.meaning import meaning
from controller.cli.running.named_files import unreadable_files
from controller.loading.configuration import LoadedConfiguration, load_configuration
from controller.model.configuration import (
    CleanUp,
    Configuration,
    EmbeddedAccess,
    GatewayPods,
    Grants,
    InClusterAccess,
    KubeconfigAccess,
    LeaderElection,
    PackageIndex,
    RegistrySettings,
    StateSettings,
    TargetSettings,
    sharing_registries,
)
from controller.model.limits import Limits

pytestmark = pytest.mark.pure

FILES = Path(__file__).parent / "files"
CASES = sorted(path.stem for path in FILES.glob("*.yaml"))


def loaded(case: str) -> LoadedConfiguration:
    data = (FILES / f"{case}.yaml").read_bytes()
    return load_configuration(data, Path("/etc/pointsman/controller.yaml"), state_home=Path("/home/me/.local/state"))


def valid(case: str) -> Configuration:
    found = loaded(case)
    assert found.diagnostics == ()
    assert found.configuration
    return found.configuration


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("valid-")])
def test_what_an_operator_reads(case: str) -> None:
    found = loaded(case)
    assert found.configuration is None
    assert "".join(f"{d}\n" for d in found.diagnostics) == (FILES / f"{case}.txt").read_text("utf-8")
    assert "sesame" not in str(found.diagnostics)
    for diagnostic in found.diagnostics:
        assert diagnostic.hint, diagnostic


def test_the_smallest_file_has_careful_defaults() -> None:
    configuration = valid("valid-smallest")
    directory = Path("/home/me/.local/state/pointsman/controller-default")
    assert configuration.state == StateSettings(directory, directory / "cache", directory / "mirrors", directory / "history")
    assert configuration.default == "laptop"
    assert configuration.health == ("127.0.0.1", 8081)
    source, target = configuration.sources["mnist"], configuration.targets["laptop"]
    assert source.grants == Grants(("ruksi/mnist",), ("laptop",))
    assert (source.branch, source.path, source.interval) == (None, "pointsman", 60.0)
    assert target.access == EmbeddedAccess(directory / "embedded-laptop")
    assert target.allow_exec == ()
    assert configuration.leader_election == LeaderElection(enabled=True, duration=15.0)


def test_every_setting_is_read() -> None:
    configuration = valid("valid-everything")
    here = Path("/etc/pointsman")
    assert configuration.state.cache == here / "cache"
    assert configuration.state.mirrors == Path("/mnt/mirrors")
    assert configuration.default == "us-east"
    assert configuration.health == ("::", 9000)
    assert (configuration.platform, configuration.mirrors) == ("linux/arm64", {"docker.io": "https://mirror.example.com"})
    assert configuration.leader_election == LeaderElection(enabled=False, duration=30.0, identity="one")
    assert (configuration.concurrency, configuration.log, configuration.installation) == (4, "console", "production")


def test_every_setting_of_a_source_is_read() -> None:
    source = valid("valid-everything").sources["mnist"]
    here = Path("/etc/pointsman/git")
    assert (source.branch, source.path, source.interval) == ("main", "deploy/pointsman", 90.0)
    assert (source.credentials.token, source.credentials.username) == (here / "token", "bot")
    assert source.credentials.files == (here / "token", here / "ca.crt")
    assert source.grants.code_repositories == ("https://git.example.com/ruksi/code.git",)
    assert source.grants.base_images == ("python:*", "registry.example.com/team/*")
    assert valid("valid-everything").sources["other"].grants.base_images is None
    assert source.grants.indexes == ("company",)
    assert source.grants.file_prefixes == ("s3://models/", "https://models.example.com/public/")


def test_every_setting_of_a_package_index_is_read() -> None:
    here = Path("/etc/pointsman")
    assert valid("valid-everything").package_indexes == {
        "company": PackageIndex(
            "company", "https://packages.example.com/team-a/simple/", username="reader", password=here / "packages/password"
        ),
        "here": PackageIndex("here", "http://127.0.0.1:3141/simple", username="__token__", password=Path("/run/token")),
        "mirror": PackageIndex("mirror", "http://mirror.example.com/simple", is_default=True),
    }
    assert valid("valid-smallest").package_indexes is None


def test_package_indexes_are_told_with_the_files_that_are_missing() -> None:
    configuration = valid("valid-everything")
    lines = list(meaning(configuration, ()))
    password = "/etc/pointsman/packages/password"
    index = "packages from company: https://packages.example.com/team-a/simple/"
    assert f"{index}, as reader with the password in {password}" in lines
    assert "packages from mirror (default): http://mirror.example.com/simple" in lines
    assert any(line.startswith("source mnist") and "packages from company" in line for line in lines)
    assert any(line.endswith(", on base images python:*, registry.example.com/team/*") for line in lines)
    missing = [d for d in unreadable_files(configuration) if d.message.startswith(password)]
    assert [(d.code, d.location.line) for d in missing] == [("PM708", 52)]


def test_the_builder_of_images_is_told_and_can_be_chosen_for_all() -> None:
    configuration = valid("valid-everything")
    builders = {name: target.registry.builder for name, target in configuration.targets.items() if target.registry}
    assert builders == {"us-east": "append", "hub": "docker"}
    told = [line for line in meaning(configuration, ()) if ", built by a Docker Engine, " in line]
    assert [line.partition(" (")[0] for line in told] == ["target hub"]
    chosen = with_builder(configuration, "append").targets
    assert {name: target.registry.builder for name, target in chosen.items() if target.registry} == dict.fromkeys(
        builders, "append"
    )
    assert chosen["laptop"] == configuration.targets["laptop"]


def test_limits_are_told_where_a_target_sets_them() -> None:
    told = [line for line in meaning(valid("valid-everything"), ()) if "limits" in line]
    assert [line.partition(" (")[0] for line in told] == ["target us-east"]
    assert told[0].endswith(", limits: code 500 MiB, one file 10 GiB, image 1000 bytes")


def test_every_setting_of_a_target_is_read() -> None:
    targets = valid("valid-everything").targets
    target = targets["us-east"]
    assert target.access == KubeconfigAccess(Path("/etc/pointsman/clusters/us-east"), "admin")
    assert target.gateway
    assert (target.gateway.namespace, target.gateway.name, target.gateway.listener) == ("edge", "public", "https")
    assert target.gateway.hostnames == ("ml.example.com", "*.ml.example.com")
    assert target.gateway.pods == GatewayPods("traefik", {"app": "traefik"}, 8000)
    credentials = Path("/etc/pointsman/registry.json")
    limits = Limits(500 << 20, 10 << 30, 1000)
    url, pull = "http://10.0.0.1:5000/pointsman", "127.0.0.1:5000/pointsman"
    registry = RegistrySettings(url, pull, credentials, insecure=True, limits=limits)
    assert target.registry == registry
    assert (target.security, target.pull_secrets, target.open_access) == ("restricted", ("registry",), False)
    assert (target.namespace, target.controller_namespace) == ("models", "pointsman")
    assert (target.min_ready_seconds, target.drain, target.qps, target.burst) == (0, 60.0, 12.5, 20)
    assert target.allow_exec == ("aws",)
    hub = targets["hub"]
    assert hub.access == InClusterAccess()
    assert hub.gateway
    assert hub.gateway.replicas == ("http://10.0.0.4:8000", "http://10.0.0.5:8000")
    assert hub.registry
    assert hub.registry.pull == "registry.example.com/pointsman"
    assert hub.registry.clean_up == CleanUp(7 * 86400.0)
    assert hub.registry.limits == Limits(1 << 30, None, 128 << 30)
    assert targets["laptop"].access == EmbeddedAccess(Path("/etc/pointsman/laptop"), 9000)


@pytest.mark.parametrize(
    ("pattern", "project", "allowed"),
    [
        ("ruksi/mnist", "ruksi/mnist", True),
        ("ruksi/mnist", "ruksi/mnist2", False),
        ("ruksi/*", "ruksi/anything", True),
        ("ruksi/*", "other/anything", False),
        ("*/mnist", "other/mnist", True),
        ("*/*", "any/thing", True),
    ],
)
def test_a_project_is_granted_by_its_pattern(pattern: str, project: str, allowed: bool) -> None:
    assert Grants((pattern,), ()).allows_project(project) is allowed


def target(name: str, url: str, pull: str) -> TargetSettings:
    return TargetSettings(name, InClusterAccess(), registry=RegistrySettings(url, pull))


def test_targets_whose_images_may_lie_together_are_one_registry() -> None:
    targets = [
        target("a", "http://10.0.0.5:5000/p", "registry.example.com/p"),
        target("b", "https://Registry.example.com/p", "registry.example.com/p"),
        target("c", "https://registry.example.com/p/", "mirror.example.com/p"),
        target("d", "https://registry.example.com/q", "registry.example.com/q"),
        TargetSettings("embedded", EmbeddedAccess(Path("/s"))),
    ]
    groups = sharing_registries(targets)
    assert [[t.name for t in group] for group in groups] == [["a", "b", "c"], ["d"]]
    last_joins = sharing_registries([targets[0], targets[2], targets[1]])
    assert [[t.name for t in group] for group in last_joins] == [["a", "c", "b"]]


def test_no_bytes_make_it_fail() -> None:
    for data in (b"\xff", b"[" * 5000, b"&a [*a]", b"- x", b"1", b"sources: 3\ntargets: []\nformat: 1"):
        found = load_configuration(data, Path("/c.yaml"), state_home=Path("/s"))
        assert found.configuration is None
        assert found.diagnostics
