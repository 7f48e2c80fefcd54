"""The roles for people: written out verb by verb, and only what the commands use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.pure

PEOPLE = Path(__file__).parents[2] / "manifests" / "people"
RESOURCES = yaml.safe_load((PEOPLE / "kustomization.yaml").read_text())["resources"]
GUIDE = (PEOPLE.parents[1] / "docs" / "guides" / "operate-kubernetes.md").read_text()
KNOWN = {"get", "list", "patch", "delete"}
WHO_MAY_READ_SECRETS = {"pointsman-caretaker"}


def roles() -> dict[str, Any]:
    documents = (yaml.safe_load((PEOPLE / file).read_text()) for file in RESOURCES)
    return {document["metadata"]["name"]: document for document in documents}


def test_every_file_is_listed() -> None:
    assert sorted(RESOURCES) == sorted(file.name for file in PEOPLE.glob("*.yaml") if file.name != "kustomization.yaml")


@pytest.mark.parametrize("name", roles())
def test_a_role_is_written_out_and_told_of(name: str) -> None:
    role = roles()[name]
    assert role["kind"] == "ClusterRole"
    assert f"`{name}`" in GUIDE
    for rule in role["rules"]:
        assert rule.keys() == {"apiGroups", "resources", "verbs"}
        assert set(rule["verbs"]) <= KNOWN
        assert not {"*"} & {*rule["apiGroups"], *rule["resources"]}
        assert name in WHO_MAY_READ_SECRETS or "secrets" not in rule["resources"]
