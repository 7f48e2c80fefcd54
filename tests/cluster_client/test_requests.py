"""What is sent, and what the answers mean."""

from __future__ import annotations

import pytest

from controller.cluster.client import KubernetesClient
from controller.model.errors import Conflict, Forbidden, Stalled, Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import put

from .conftest import TOKEN
from .scripted import Scripted, answer, dripping, reset, status, text

pytestmark = pytest.mark.contract

KEY = ObjectKey("ConfigMap", "home", "sample")
OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "sample", "namespace": "home"}, "data": {"a": "1"}}
STORED = {**OBJECT, "metadata": {**OBJECT["metadata"], "uid": "1", "resourceVersion": "7"}}  # type: ignore[dict-item]
PATH = "/api/v1/namespaces/home/configmaps/sample"


def test_an_apply_is_one_forced_and_strict_patch(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(answer(STORED))
    assert client.apply(OBJECT) == STORED
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("PATCH", PATH)
    assert asked.query == {"fieldManager": "pointsman", "force": "true", "fieldValidation": "Strict"}
    assert asked.headers["Content-Type"] == "application/apply-patch+yaml"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.json == OBJECT


def test_a_dry_run_says_so(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(answer(STORED))
    client.apply(OBJECT, dry_run=True)
    assert server.asked[0].query["dryRun"] == "All"


def test_a_delete_names_its_preconditions(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(answer({"kind": "Status", "status": "Success"}))
    client.delete(KEY, uid="1", resource_version="7")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("DELETE", PATH)
    assert asked.json["preconditions"] == {"uid": "1", "resourceVersion": "7"}
    assert asked.json["propagationPolicy"] == "Background"


def test_what_is_gone_is_deleted(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(status(404, "not found", "NotFound", name="sample", kind="configmaps"))
    client.delete(KEY)


def test_only_the_servers_own_word_means_absent(client: KubernetesClient, server: Scripted) -> None:
    server.script += [
        status(404, 'configmaps "sample" not found', "NotFound", name="sample", kind="configmaps"),
        text(404, "<html>nothing here</html>"),
        text(404, "404 page not found"),
        status(404, "not found", "NotFound", name="another", kind="configmaps"),
    ]
    assert client.get(KEY) is None
    with pytest.raises(Unavailable):
        client.get(KEY)
    with pytest.raises(Stalled):
        client.get(KEY)
    with pytest.raises(Conflict):
        client.get(KEY)


def test_a_missing_definition_names_it_and_how_to_install_it(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(text(404, "404 page not found\n"))
    with pytest.raises(Stalled, match=r"httproutes\.gateway\.networking\.k8s\.io") as caught:
        client.list("HTTPRoute")
    assert "install the Gateway API" in str(caught.value.hint)


def test_a_list_is_read_in_pages(client: KubernetesClient, server: Scripted) -> None:
    page = {
        "kind": "ConfigMapList",
        "metadata": {"resourceVersion": "9", "continue": "more"},
        "items": [{"metadata": {"name": "a"}}],
    }
    last = {"kind": "ConfigMapList", "metadata": {"resourceVersion": "9"}, "items": [{"metadata": {"name": "b"}}]}
    server.script += [answer(page), answer(last)]
    listing = client.list("ConfigMap", labels={"x": "1", "a/b": "2"})
    assert [item["metadata"]["name"] for item in listing.items] == ["a", "b"]
    assert {(item["apiVersion"], item["kind"]) for item in listing.items} == {("v1", "ConfigMap")}
    assert listing.resource_version == "9"
    assert [asked.query.get("continue") for asked in server.asked] == [None, "more"]
    assert {asked.query["labelSelector"] for asked in server.asked} == {"a/b=2,x=1"}


def test_what_is_no_list_does_not_say_that_nothing_is_there(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(answer({"kind": "APIVersions", "metadata": {"resourceVersion": "9"}}))
    with pytest.raises(Unavailable, match="something else than a list"):
        client.list("ConfigMap")


def test_a_list_whose_place_was_forgotten_begins_again(client: KubernetesClient, server: Scripted) -> None:
    page = {"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [{"metadata": {"name": "old"}}]}
    whole = {"metadata": {"resourceVersion": "12"}, "items": [{"metadata": {"name": "new"}}]}
    server.script += [answer(page), status(410, "expired", "Expired"), answer(whole)]
    listing = client.list("ConfigMap")
    assert [item["metadata"]["name"] for item in listing.items] == ["new"]
    assert listing.resource_version == "12"


def test_a_refusal_names_verb_resource_and_rule(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(status(403, 'deployments.apps is forbidden: User "x" cannot list', "Forbidden"))
    with pytest.raises(Forbidden, match="may not list all Deployments") as caught:
        client.list("Deployment", namespace=None)
    assert 'apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"]' in str(caught.value.hint)


def test_an_admission_denial_is_told_in_its_own_words(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(status(403, 'admission webhook "guard" denied the request: no latest tags', "Forbidden"))
    with pytest.raises(Stalled, match="no latest tags") as caught:
        client.apply(OBJECT)
    assert not isinstance(caught.value, Forbidden)


def test_a_namespace_that_is_going_is_waited_for(client: KubernetesClient, server: Scripted) -> None:
    causes = [
        {"reason": "NamespaceTerminating", "message": "namespace home is being terminated", "field": "metadata.namespace"}
    ]
    server.script.append(status(403, "forbidden: namespace home is being terminated", "Forbidden", causes=causes))
    with pytest.raises(Unavailable, match="being terminated"):
        client.apply(OBJECT)


def test_wrong_fields_are_named(client: KubernetesClient, server: Scripted) -> None:
    causes = [{"reason": "FieldValueInvalid", "message": "must be positive", "field": "spec.replicas"}]
    server.script.append(status(422, "it is invalid", "Invalid", causes=causes))
    with pytest.raises(Stalled, match=r"spec\.replicas: must be positive"):
        client.apply(OBJECT)


def test_a_version_that_is_not_the_current_one_is_a_conflict(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(status(409, "the object has been modified", "Conflict", name="sample"))
    with pytest.raises(Conflict):
        client.apply(OBJECT)


@pytest.mark.parametrize("fault", [status(500), status(503), reset, text(502, "bad gateway")])
def test_what_may_pass_is_tried_again(client: KubernetesClient, server: Scripted, fault: object) -> None:
    server.script += [fault, answer(STORED)]  # type: ignore[list-item]
    assert client.get(KEY) == STORED
    assert len(server.asked) == 2


def test_a_server_that_stays_broken_is_given_up(client: KubernetesClient, server: Scripted) -> None:
    server.always = status(500, "etcdserver: request timed out")
    with pytest.raises(Unavailable, match="etcdserver: request timed out"):
        client.get(KEY)
    assert 2 <= len(server.asked) <= 5


def test_nothing_is_asked_once_the_time_of_who_waits_is_over(client: KubernetesClient, server: Scripted) -> None:
    client.exchange.end = 0.0
    with pytest.raises(Unavailable, match="the time is over"):
        client.list("ConfigMap")
    assert not server.asked


def test_a_longer_wait_than_the_deadline_is_not_waited(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(status(429, "too many", "TooManyRequests", retry_after=3600))
    with pytest.raises(Unavailable, match="429"):
        client.get(KEY)
    assert len(server.asked) == 1


def test_retry_after_is_obeyed(client: KubernetesClient, server: Scripted) -> None:
    server.script += [status(429, "too many", "TooManyRequests", retry_after=0), answer(STORED)]
    assert client.get(KEY) == STORED


def test_a_body_that_only_drips_is_given_up(client: KubernetesClient, server: Scripted) -> None:
    server.always = dripping
    client.exchange.deadline = 0.3
    with pytest.raises(Unavailable, match="too slowly"):
        client.get(KEY)


def test_an_answer_that_is_cut_off_is_no_answer(client: KubernetesClient, server: Scripted) -> None:
    def cut(handler: object, _asked: object) -> None:
        handler.begin(200, Content_Length="1000")  # type: ignore[attr-defined]
        handler.wfile.write(b'{"kind"')  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]

    server.script += [cut, answer(STORED)]
    assert client.get(KEY) == STORED


def test_a_redirect_is_not_followed(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(answer({}, 302, Location="http://127.0.0.1:1/elsewhere"))
    with pytest.raises(Stalled, match="302"):
        client.get(KEY)


def test_a_closed_client_asks_nothing_more(client: KubernetesClient, server: Scripted) -> None:
    client.close()
    with pytest.raises(Unavailable):
        client.get(KEY)
    assert not server.asked


@pytest.mark.parametrize(
    "key", [ObjectKey("ConfigMap", "home", ""), ObjectKey("ConfigMap", "", "x"), ObjectKey("Unheard", "a", "b")]
)
def test_a_key_that_leads_elsewhere_is_refused(client: KubernetesClient, server: Scripted, key: ObjectKey) -> None:
    with pytest.raises(Stalled):
        client.get(key)
    with pytest.raises(Stalled):
        client.delete(key)
    assert not server.asked


def test_names_cannot_leave_their_place_in_a_path(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(status(404, "", "NotFound", name="../secrets?x"))
    assert client.get(ObjectKey("ConfigMap", "home", "../secrets?x")) is None
    assert server.asked[0].path == "/api/v1/namespaces/home/configmaps/..%2Fsecrets%3Fx"


CREATED = {**OBJECT, "metadata": {**OBJECT["metadata"], "annotations": {"pointsman.dev/applied": "abc"}}}  # type: ignore[dict-item]
OURS = {"manager": "pointsman", "operation": "Apply"}
THEIRS = {"manager": "kubectl", "operation": "Update"}
STATUS_WRITER = {"manager": "gateway", "operation": "Update", "subresource": "status"}


def created(*writers: dict[str, str]) -> dict[str, object]:
    return put(CREATED, list(writers), "metadata", "managedFields")


def test_a_create_is_one_request(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(answer(STORED, 201))
    assert client.apply(put(CREATED, "", "metadata", "resourceVersion")) == STORED
    (asked,) = server.asked
    assert asked.json["metadata"]["resourceVersion"] == "1"


def test_a_create_whose_answer_was_lost_finds_its_own_object(client: KubernetesClient, server: Scripted) -> None:
    server.script += [reset, status(409, "modified", "Conflict"), answer(created(OURS, STATUS_WRITER))]
    assert client.apply(put(CREATED, "", "metadata", "resourceVersion")) == created(OURS, STATUS_WRITER)


@pytest.mark.parametrize(
    "found", [created(OURS, THEIRS), put(created(OURS), {}, "metadata", "annotations")], ids=["shared", "other"]
)
def test_a_create_whose_answer_was_lost_takes_nothing_elses(
    client: KubernetesClient, server: Scripted, found: dict[str, object]
) -> None:
    server.script += [reset, status(409, "modified", "Conflict"), answer(found)]
    with pytest.raises(Conflict):
        client.apply(put(CREATED, "", "metadata", "resourceVersion"))


def test_a_version_of_what_is_gone_leaves_nothing_behind(client: KubernetesClient, server: Scripted) -> None:
    server.script += [answer(STORED, 201), answer({})]
    with pytest.raises(Conflict, match="is not there"):
        client.apply(put(OBJECT, "6", "metadata", "resourceVersion"))
    assert server.asked[1].method == "DELETE"
    assert server.asked[1].json["preconditions"]["uid"] == "1"
