from __future__ import annotations

from contextlib import closing

import pytest

from controller.embedded.gateway import Gateway
from controller.model.errors import Stalled
from controller.model.objects import at, key_of
from tests.embedded.gateway import cluster
from tests.embedded.gateway.servers import eventually

pytestmark = pytest.mark.system
PATH = "/ruksi/mnist/americas/production/predict"


def conditions(store, route) -> dict[str, tuple[str, str, int]]:
    found = at(store.get(key_of(route)), "status", "parents", 0, "conditions", default=())
    return {c["type"]: (c["status"], c["reason"], c["observedGeneration"]) for c in found}


def test_says_that_the_newest_generation_is_in_effect(store, gateway):
    store.apply(cluster.service("one"))
    store.apply(cluster.service("two"))
    route = store.apply(cluster.route(PATH, "one"))
    wanted = {"Accepted": ("True", "Accepted", 1), "ResolvedRefs": ("True", "ResolvedRefs", 1)}
    assert eventually(lambda: conditions(store, route) == wanted)
    parent = at(store.get(key_of(route)), "status", "parents", 0)
    assert parent["controllerName"] == "pointsman.dev/embedded-gateway"
    assert parent["parentRef"] == {"name": "pointsman", "namespace": "default"}
    store.apply(cluster.route(PATH, "two"))
    assert eventually(lambda: conditions(store, route)["Accepted"] == ("True", "Accepted", 2))


def test_follows_the_service_that_the_route_names(store, gateway):
    route = store.apply(cluster.route(PATH, "one"))
    assert eventually(lambda: conditions(store, route).get("ResolvedRefs") == ("False", "BackendNotFound", 1))
    service = store.apply(cluster.service("one"))
    assert eventually(lambda: conditions(store, route)["ResolvedRefs"] == ("True", "ResolvedRefs", 1))
    store.delete(key_of(service))
    assert eventually(lambda: conditions(store, route)["ResolvedRefs"] == ("False", "BackendNotFound", 1))


def test_does_not_accept_what_it_would_serve_only_in_part(store, gateway):
    route = store.apply(cluster.route(PATH, "one", filters=({"type": "RequestMirror", "requestMirror": {}},)))
    assert eventually(lambda: conditions(store, route).get("Accepted") == ("False", "UnsupportedValue", 1))


def test_writes_only_what_changed_and_leaves_other_controllers_entries(store, gateway, limits):
    store.apply(cluster.service("one"))
    route = store.apply(cluster.route(PATH, "one"))
    assert eventually(lambda: "Accepted" in conditions(store, route))
    status = store.get(key_of(route))["status"]
    other = {"controllerName": "example.com/other", "parentRef": {"name": "x"}, "conditions": []}
    store.set_status(key_of(route), {"parents": [*status["parents"], other]})
    store.apply(cluster.route(PATH, "two"))
    assert eventually(lambda: conditions(store, route)["ResolvedRefs"] == ("False", "BackendNotFound", 2))
    assert other in store.get(key_of(route))["status"]["parents"]
    gateway.stop()
    before = store.list("HTTPRoute").resource_version
    again = Gateway(store, port=0, probe_token="x", limits=limits)
    again.start()
    again.stop()
    assert store.list("HTTPRoute").resource_version == before


def test_a_taken_port_leads_to_the_next_or_to_a_clear_error(store, gateway):
    second = Gateway(store, port=gateway.port, probe_token="x")
    with closing(_Stopping(second)):
        second.start()
        assert gateway.port < second.port < gateway.port + 100
    third = Gateway(store, port=gateway.port, probe_token="x", next_free=False)
    with pytest.raises(Stalled, match=f"port {gateway.port} is taken"):
        third.start()


class _Stopping:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def close(self) -> None:
        self._gateway.stop()
