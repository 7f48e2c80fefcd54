"""What may become a deployment's, and what may go with it."""

from __future__ import annotations

from typing import Any

import click
import pytest

from controller.cli.adopt import mark, parsed, refuse
from controller.cli.inventory import in_deletion_order, reason_to_keep
from controller.cli.reach.choice import Kubernetes
from controller.cli.secret import kubectl_command
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import APPLY_ORDER

pytestmark = pytest.mark.pure

UNIT, OTHER = UnitKey("acme", "shop", "americas"), UnitKey("acme", "shop", "europe")


def thing(kind: str = "Service", *, annotations: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {
        "name": "say",
        "namespace": UNIT.namespace,
        "uid": "u-1",
        "resourceVersion": "7",
        "labels": {"app": "legacy"},
        "annotations": annotations or {},
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


def test_adopting_marks_exactly_the_object_that_was_shown_and_nothing_else() -> None:
    marked = mark(thing(spec={"ports": []}), UNIT)
    assert marked["metadata"] == {
        "name": "say",
        "namespace": UNIT.namespace,
        "uid": "u-1",
        "resourceVersion": "7",
        "labels": {labels.MANAGED_BY: "pointsman", labels.UNIT: UNIT.hash},
        "annotations": {labels.UNIT_NAME: str(UNIT)},
    }
    assert marked.keys() == {"apiVersion", "kind", "metadata"}


@pytest.mark.parametrize(
    ("obj", "namespace", "message"),
    [
        (thing(), "elsewhere", "lies in namespace elsewhere"),
        (thing(annotations={labels.UNIT_NAME: str(UNIT)}), UNIT.namespace, "already"),
        (thing(annotations={labels.UNIT_NAME: str(OTHER)}), UNIT.namespace, "belongs to acme/shop/europe"),
        (thing("Deployment", spec={"selector": {"matchLabels": {"app": "say"}}}), UNIT.namespace, "selector"),
    ],
)
def test_what_cannot_be_adopted(obj: dict[str, Any], namespace: str, message: str) -> None:
    with pytest.raises(Stalled, match=message) as raised:
        refuse(obj, UNIT, namespace)
    assert raised.value.hint


def test_a_deployment_with_a_workloads_selector_may_be_adopted() -> None:
    refuse(thing("Deployment", spec={"selector": {"matchLabels": {labels.WORKLOAD: "say"}}}), UNIT, UNIT.namespace)


@pytest.mark.parametrize("text", ["Service/say", "Namespace//shop", "Servcie/ns/say", "Pod/ns/say", ""])
def test_what_is_no_object_of_ours(text: str) -> None:
    with pytest.raises(click.UsageError):
        parsed(text)


def test_routes_go_before_what_they_lead_to_and_namespaces_stay() -> None:
    keys = [ObjectKey(kind, "ns", "say") for kind in APPLY_ORDER]
    kinds = [key.kind for key in in_deletion_order(keys)]
    assert kinds == [kind for kind in reversed(APPLY_ORDER) if kind != "Namespace"]
    assert kinds.index("HTTPRoute") < kinds.index("Middleware") < kinds.index("Deployment") < kinds.index("ServiceAccount")


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ({labels.UNIT_NAME: str(UNIT)}, None),
        ({}, "does not say that it belongs"),
        ({labels.UNIT_NAME: str(OTHER)}, "belongs to acme/shop/europe"),
        ({labels.UNIT_NAME: str(UNIT), labels.PRUNE: "disabled"}, "keeps it"),
    ],
)
def test_only_what_says_that_it_is_the_deployments_goes(annotations: dict[str, str], reason: str | None) -> None:
    found = reason_to_keep(thing(annotations=annotations), UNIT)
    assert found is None if reason is None else found is not None and reason in found


def test_the_command_that_makes_a_secret_is_safe_to_paste() -> None:
    choice = Kubernetes("us-east", None, "admin@us east")
    command = kubectl_command(choice, "shop", ("create", "secret", "generic", "a;b", "--from-file=k=/dev/stdin"))
    assert command == "kubectl --context 'admin@us east' -n shop create secret generic 'a;b' --from-file=k=/dev/stdin"
