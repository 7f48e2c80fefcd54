"""The manifests hold together, grant exactly what is documented, and the controller's pod is a careful one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.engine.cache import KINDS
from controller.loading.configuration import load_configuration
from controller.model.objects import APPLY_ORDER

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
PAGE = (ROOT / "docs" / "reference" / "rbac.md").read_text("utf-8")
FOLDERS = sorted(path.parent for path in MANIFESTS.rglob("kustomization.yaml"))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def role(name: str) -> Mapping[str, set[str]]:
    """The verbs of each resource."""
    return {
        resource: set(rule["verbs"]) for rule in read(MANIFESTS / "access" / name)["rules"] for resource in rule["resources"]
    }


def documented(heading: str) -> Mapping[str, set[str]]:
    """The table below a heading."""
    text = PAGE.split(heading)[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z]+)` \| ((?:`[a-z]+` ?)+) \|", text, re.MULTILINE)
    return {resource: set(re.findall(r"`([a-z]+)`", verbs)) for resource, verbs in rows}


def plural(kind: str) -> str:
    """The resource of a kind."""
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"


def named_files(folder: Path) -> Iterator[Path]:
    found = read(folder / "kustomization.yaml")
    assert found["kind"] == "Kustomization"
    yield from (folder / name for name in found.get("resources", ()))
    yield from (folder / patch["path"] for patch in found.get("patches", ()))
    yield from (folder / name for made in found.get("configMapGenerator", ()) for name in made["files"])


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_a_kustomization_names_all_files_beside_it_and_no_others(folder: Path) -> None:
    named = {path.resolve() for path in named_files(folder)}
    assert all(path.exists() for path in named)
    beside = {path.resolve() for path in folder.glob("*.yaml")} - {(folder / "kustomization.yaml").resolve()}
    assert beside <= named


@pytest.mark.parametrize("path", [p for p in MANIFESTS.rglob("*.yaml") if "rules" in read(p)], ids=str)
def test_no_role_has_a_wildcard(path: Path) -> None:
    for rule in read(path)["rules"]:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_every_verb_is_documented_and_nothing_else_is() -> None:
    assert documented("ClusterRole `pointsman-controller`") == role("clusterrole.yaml")
    assert documented("## In its own namespace") == role("role.yaml")


def test_what_is_written_may_be_written_and_what_is_watched_may_be_watched() -> None:
    verbs = role("clusterrole.yaml")
    for kind in APPLY_ORDER:
        wanted = {"get", "create", "patch"} | ({"delete"} if kind != "Namespace" else set())
        assert wanted <= verbs[plural(kind)], kind
    for kind in KINDS:
        assert {"list", "watch"} <= verbs[plural(kind)], kind
    assert not {"list", "watch"} & verbs["secrets"]
    assert "delete" not in verbs["namespaces"]


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("controller.yaml")), ids=str)
def test_the_configurations_are_valid(path: Path) -> None:
    assert load_configuration(path.read_bytes(), path, state_home=Path("/state")).diagnostics == ()


def test_the_pod_satisfies_the_profile_that_its_namespace_enforces() -> None:
    assert (
        read(MANIFESTS / "access" / "namespace.yaml")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
    pod = read(MANIFESTS / "base" / "deployment.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert (
        f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
        in (ROOT / "Dockerfile").read_text()
    )
    assert {probe["httpGet"]["path"] for probe in (container["livenessProbe"], container["readinessProbe"])} == {
        "/healthz",
        "/readyz",
    }


@pytest.mark.parametrize(
    ("address", "port", "allowed"),
    [
        ("169.254.169.254", 80, False),
        ("fd00:ec2::254", 80, False),
        ("fe80::1", 80, False),
        ("203.0.113.7", 22, True),
        ("2001:db8::7", 443, True),
        ("10.0.0.4", 8000, True),
        ("169.254.20.10", 53, True),
    ],
)
def test_the_controller_reaches_everything_but_the_credentials_of_clouds(address: str, port: int, allowed: bool) -> None:
    egress = read(MANIFESTS / "base" / "networkpolicy.yaml")["spec"]["egress"]
    assert any(lets(rule, address, port) for rule in egress) == allowed


def lets(rule: Mapping[str, Any], address: str, port: int) -> bool:
    """Whether an egress rule allows a connection, as far as addresses go."""
    wanted = ip_address(address)
    blocks = [peer["ipBlock"] for peer in rule.get("to", ()) if "ipBlock" in peer]
    within = (wanted in ip_network(b["cidr"]) and not any(wanted in ip_network(e) for e in b["except"]) for b in blocks)
    ports = [each["port"] for each in rule.get("ports", ())]
    return ("to" not in rule or any(within)) and (not ports or port in ports)


def test_every_role_for_people_is_documented() -> None:
    names = {read(path)["metadata"]["name"] for path in (MANIFESTS / "people").glob("*.yaml") if path.stem != "kustomization"}
    assert set(re.findall(r"^\| `(pointsman-[a-z]+)` \|", PAGE, re.MULTILINE)) == names


def test_the_image_is_built_from_locks_and_from_nothing_that_is_not_needed() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements/runtime.lock" in text
    assert "--build-constraints requirements/build.lock" in text
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for kept in (line.removeprefix("!") for line in ignored if line.startswith("!")):
        assert (ROOT / kept).exists()
