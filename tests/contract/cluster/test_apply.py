"""Server-side apply: what it stores, and whose fields stay."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model.errors import Stalled
from controller.model.objects import Object, at, key_of, put
from controller.model.ports import ClusterClient

from . import samples
from .samples import config_map, deployment

pytestmark = pytest.mark.contract


def by_name(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {item["name"]: item for item in items}


def containers(obj: Object) -> dict[str, Any]:
    return by_name(at(obj, "spec", "template", "spec", "containers"))


def test_a_new_object_gets_its_identity(client: ClusterClient, namespace: str) -> None:
    stored = client.apply(deployment(namespace))
    assert stored["metadata"]["uid"]
    assert stored["metadata"]["resourceVersion"]
    assert stored["metadata"]["creationTimestamp"].endswith("Z")
    assert stored["metadata"]["generation"] == 1
    again = client.get(key_of(stored))
    assert again is not None
    assert again["metadata"]["uid"] == stored["metadata"]["uid"]


def test_what_is_not_there_is_none(client: ClusterClient, namespace: str) -> None:
    assert client.get(key_of(config_map(namespace))) is None


@pytest.mark.parametrize(
    "make",
    [samples.pod_disruption_budget, samples.autoscaler, samples.service_account, samples.config_map, samples.deployment],
)
def test_applying_the_same_again_changes_nothing(client: ClusterClient, namespace: str, make: Any) -> None:
    first = client.apply(make(namespace))
    second = client.apply(make(namespace))
    assert without_status(second) == without_status(first)


def without_status(obj: Object) -> dict[str, Any]:
    """What only appliers change: controllers of a real cluster write the status, and so the version, at any moment."""
    entries = [entry for entry in at(obj, "metadata", "managedFields", default=()) if not entry.get("subresource")]
    metadata = {**obj["metadata"], "managedFields": entries, "resourceVersion": None}
    metadata.pop("annotations", None)  # the Deployment controller writes one with the status
    return {**obj, "metadata": metadata, "status": None}


def test_a_field_that_is_left_out_goes(client: ClusterClient, namespace: str) -> None:
    client.apply(config_map(namespace, data={"a": "1", "b": "2"}, labels={"x": "1", "y": "2"}))
    stored = client.apply(config_map(namespace, data={"b": "2"}, labels={"y": "2"}))
    assert stored["data"] == {"b": "2"}
    assert stored["metadata"]["labels"] == {"y": "2"}


def test_a_whole_map_that_is_left_out_goes(client: ClusterClient, namespace: str) -> None:
    client.apply(config_map(namespace, data={"a": "1"}, annotations={"x": "1"}))
    stored = client.apply(config_map(namespace))
    assert not stored.get("data")
    assert not stored["metadata"].get("annotations")


def test_a_scalar_that_is_left_out_falls_back_to_its_default(client: ClusterClient, namespace: str) -> None:
    client.apply(deployment(namespace, replicas=3))
    stored = client.apply(deployment(namespace))
    assert at(stored, "spec", "replicas", default=1) == 1


def test_fields_of_others_stay(client: ClusterClient, namespace: str) -> None:
    client.apply(config_map(namespace, data={"ours": "1"}))
    client.apply(config_map(namespace, data={"theirs": "2"}), manager="someone-else")
    stored = client.apply(config_map(namespace, data={"ours-too": "3"}))
    assert stored["data"] == {"theirs": "2", "ours-too": "3"}


def test_a_field_of_two_managers_stays_until_both_leave_it_out(client: ClusterClient, namespace: str) -> None:
    client.apply(config_map(namespace, data={"shared": "1"}))
    client.apply(config_map(namespace, data={"shared": "1"}), manager="someone-else")
    assert client.apply(config_map(namespace))["data"] == {"shared": "1"}
    assert not client.apply(config_map(namespace), manager="someone-else").get("data")


def test_a_field_that_was_taken_over_is_the_takers(client: ClusterClient, namespace: str) -> None:
    client.apply(config_map(namespace, data={"shared": "1"}))
    client.apply(config_map(namespace, data={"shared": "2"}), manager="someone-else")
    assert client.apply(config_map(namespace))["data"] == {"shared": "2"}


def test_the_owners_of_fields_are_reported(client: ClusterClient, namespace: str) -> None:
    client.apply(config_map(namespace, data={"ours": "1"}))
    stored = client.apply(config_map(namespace, data={"theirs": "2"}), manager="someone-else")
    entries = {entry["manager"]: entry for entry in stored["metadata"]["managedFields"]}
    assert entries["pointsman"]["operation"] == "Apply"
    assert entries["pointsman"]["fieldsType"] == "FieldsV1"
    assert "f:ours" in entries["pointsman"]["fieldsV1"]["f:data"]
    assert "f:theirs" in entries["someone-else"]["fieldsV1"]["f:data"]
    assert entries["someone-else"]["time"].endswith("Z")


def test_environment_merges_by_name(client: ClusterClient, namespace: str) -> None:
    client.apply(deployment(namespace, container={"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}))
    client.apply(deployment(namespace, container={"env": [{"name": "C", "value": "3"}]}), manager="someone-else")
    stored = client.apply(deployment(namespace, container={"env": [{"name": "B", "value": "4"}]}))
    env = by_name(containers(stored)["endpoint"]["env"])
    assert {name: item["value"] for name, item in env.items()} == {"B": "4", "C": "3"}


def test_containers_volumes_and_mounts_merge_by_their_keys(client: ClusterClient, namespace: str) -> None:
    def with_volume(name: str) -> dict[str, Any]:
        made = deployment(namespace, container={"volumeMounts": [{"name": name, "mountPath": f"/{name}"}]})
        pod = {**made["spec"]["template"]["spec"], "volumes": [{"name": name, "emptyDir": {}}]}
        return put(made, pod, "spec", "template", "spec")

    client.apply(with_volume("ours"))
    stored = client.apply(with_volume("theirs"), manager="someone-else")
    assert set(by_name(stored["spec"]["template"]["spec"]["volumes"])) == {"ours", "theirs"}
    assert {mount["mountPath"] for mount in containers(stored)["endpoint"]["volumeMounts"]} == {"/ours", "/theirs"}


def test_container_ports_merge_by_number_and_protocol(client: ClusterClient, namespace: str) -> None:
    client.apply(deployment(namespace, container={"ports": [{"name": "http", "containerPort": 8000}]}))
    stored = client.apply(
        deployment(namespace, container={"ports": [{"containerPort": 8000, "protocol": "TCP"}, {"containerPort": 9000}]}),
        manager="someone-else",
    )
    ports = {port["containerPort"]: port.get("name") for port in containers(stored)["endpoint"]["ports"]}
    assert ports == {8000: "http", 9000: None}


def test_service_ports_merge_and_the_selector_is_replaced_whole(client: ClusterClient, namespace: str) -> None:
    client.apply(samples.service(namespace, {"a": "1"}, 80))
    stored = client.apply(samples.service(namespace, {"b": "2"}, 90), manager="someone-else")
    assert {port["port"] for port in stored["spec"]["ports"]} == {80, 90}
    assert stored["spec"]["selector"] == {"b": "2"}


def test_lists_without_keys_are_replaced_whole(client: ClusterClient, namespace: str) -> None:
    client.apply(deployment(namespace, container={"args": ["a", "b"]}))
    stored = client.apply(deployment(namespace, container={"args": ["c"]}), manager="someone-else")
    assert containers(stored)["endpoint"]["args"] == ["c"]


def test_rules_of_a_route_are_replaced_whole(client: ClusterClient, namespace: str) -> None:
    client.apply(samples.route(namespace, "/a", "/b"))
    stored = client.apply(samples.route(namespace, "/c"), manager="someone-else")
    assert [rule["matches"][0]["path"]["value"] for rule in stored["spec"]["rules"]] == ["/c"]


def test_the_generation_counts_changes_of_the_specification(client: ClusterClient, namespace: str) -> None:
    first = client.apply(deployment(namespace, replicas=0))
    labelled = client.apply(put(deployment(namespace, replicas=0), {"x": "1"}, "metadata", "labels"))
    scaled = client.apply(deployment(namespace, replicas=1, minReadySeconds=5))
    assert labelled["metadata"]["generation"] == first["metadata"]["generation"]
    assert labelled["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    assert scaled["metadata"]["generation"] == first["metadata"]["generation"] + 1


def test_status_is_not_applied(client: ClusterClient, namespace: str) -> None:
    stored = client.apply({**deployment(namespace), "status": {"readyReplicas": 99}})
    assert at(stored, "status", "readyReplicas") is None


def test_a_dry_run_shows_the_result_and_stores_nothing(client: ClusterClient, namespace: str) -> None:
    made = client.apply(config_map(namespace, data={"a": "1"}), dry_run=True)
    assert made["data"] == {"a": "1"}
    assert client.get(key_of(made)) is None
    stored = client.apply(config_map(namespace, data={"a": "1"}))
    assert client.apply(config_map(namespace, data={"a": "2"}), dry_run=True)["data"] == {"a": "2"}
    assert client.get(key_of(stored)) == stored


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Not_A_Name"},
        {"name": "a" * 254},
        {"labels": {"x": "spaces are not allowed"}},
        {"labels": {"x": "a" * 64}},
    ],
)
def test_names_and_labels_are_checked(client: ClusterClient, namespace: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(Stalled):
        client.apply(config_map(namespace, **{"name": "sample", **wrong}))


def test_an_object_that_is_too_large_is_refused(client: ClusterClient, namespace: str) -> None:
    with pytest.raises(Stalled):
        client.apply(config_map(namespace, data={"a": "x" * (3 * 1024 * 1024 // 2)}))


def test_an_unknown_kind_is_refused(client: ClusterClient, namespace: str) -> None:
    with pytest.raises(Stalled):
        client.apply({**config_map(namespace), "kind": "Unheard"})
