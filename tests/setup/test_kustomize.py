"""What `kubectl apply -k` makes of the manifests, by the same program."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model.objects import at
from tests.cluster.binaries import KUSTOMIZE, built

pytestmark = pytest.mark.system

MANIFESTS = Path(__file__).parents[2] / "manifests"
EXAMPLE = MANIFESTS / "overlays" / "example"
FOLDERS = sorted(path.parent for path in MANIFESTS.rglob("kustomization.yaml"))
NAMESPACE = "pointsman-system"
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
BY_HAND = {"pointsman-git", "pointsman-registry"}
OURS = {"app.kubernetes.io/name": "pointsman"}


def made_of(folder: Path) -> list[dict[str, Any]]:
    command = [str(built(KUSTOMIZE)), "build", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def example() -> list[dict[str, Any]]:
    return made_of(EXAMPLE)


def the(kind: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = (obj for obj in objects if obj["kind"] == kind)
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_is_taken_without_a_warning(folder: Path) -> None:
    assert made_of(folder)


def test_everything_is_labelled_and_in_the_namespace(example: list[dict[str, Any]]) -> None:
    for obj in example:
        meta = obj["metadata"]
        assert OURS.items() <= meta.get("labels", {}).items(), obj["kind"]
        assert meta.get("namespace") == (None if obj["kind"] in CLUSTER_WIDE else NAMESPACE), obj["kind"]
    assert the("Namespace", example)["metadata"]["name"] == NAMESPACE


def test_the_overlay_says_which_image_it_is_and_what_it_follows(example: list[dict[str, Any]]) -> None:
    (container,) = at(the("Deployment", example), "spec", "template", "spec", "containers")
    assert container["image"] == "registry.example.com/pointsman/controller:0.1.0"
    followed = the("ConfigMap", example)["data"]
    assert followed == {"controller.yaml": (EXAMPLE / "controller.yaml").read_text()}


def test_the_patch_adds_to_what_the_base_mounts(example: list[dict[str, Any]]) -> None:
    pod = at(the("Deployment", example), "spec", "template", "spec")
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {
        "config": "/etc/pointsman/config",
        "git": "/etc/pointsman/git",
        "registry": "/etc/pointsman/registry",
        "state": "/var/lib/pointsman",
        "temporary": "/tmp",
    }
    assert {volume["name"] for volume in pod["volumes"]} == mounts.keys()
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_every_name_leads_to_an_object_or_to_a_secret_made_by_hand(example: list[dict[str, Any]]) -> None:
    there = {(obj["kind"], obj["metadata"]["name"]) for obj in example} | {("Secret", name) for name in BY_HAND}
    wanted = {reference for obj in example for reference in references(obj)}
    assert {kind for kind, _ in wanted} == {"ConfigMap", "Secret", "ServiceAccount", "Role", "ClusterRole"}
    assert wanted <= there
    assert the("Deployment", example)["spec"]["selector"]["matchLabels"] == OURS


def references(obj: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What an object names by kind and name."""
    for named in (obj.get("roleRef"), *obj.get("subjects", ())):
        if named:
            assert named.get("namespace", NAMESPACE) == NAMESPACE
            yield named["kind"], named["name"]
    pod = at(obj, "spec", "template", "spec") or {}
    if "serviceAccountName" in pod:
        yield "ServiceAccount", pod["serviceAccountName"]
    yield from (("Secret", each["name"]) for each in pod.get("imagePullSecrets", ()))
    for volume in pod.get("volumes", ()):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
