"""Paths, the rate, gateways: what needs no server."""

from __future__ import annotations

import pytest

from controller.cluster.client import selector
from controller.cluster.gateway import GatewayFacts, Listener, gateway_facts
from controller.cluster.paths import collection_path, object_path, resource
from controller.cluster.rate import RateLimit
from controller.model.identity import ObjectKey
from controller.model.objects import API_VERSIONS

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Namespace", "/api/v1/namespaces"),
        ("Secret", "/api/v1/namespaces/home/secrets"),
        ("EndpointSlice", "/apis/discovery.k8s.io/v1/namespaces/home/endpointslices"),
        ("GatewayClass", "/apis/gateway.networking.k8s.io/v1/gatewayclasses"),
        ("SecurityPolicy", "/apis/gateway.envoyproxy.io/v1alpha1/namespaces/home/securitypolicies"),
        ("Middleware", "/apis/traefik.io/v1alpha1/namespaces/home/middlewares"),
    ],
)
def test_where_a_kind_lives(kind: str, path: str) -> None:
    assert collection_path(kind, "home") == path


def test_every_kind_has_a_place_of_its_own() -> None:
    assert len({resource(kind) for kind in API_VERSIONS}) == len(API_VERSIONS)
    assert object_path(ObjectKey("Node", "", "one")) == "/api/v1/nodes/one"


def test_labels_are_sorted_into_one_selector() -> None:
    assert selector({"b": "2", "a/x": "1"}) == "a/x=1,b=2"
    assert selector(None) == ""


def test_a_burst_goes_at_once_and_the_rest_in_turn() -> None:
    now = [0.0]
    limit = RateLimit(qps=10.0, burst=3, clock=lambda: now[0])
    assert [limit.reserve() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert [round(limit.reserve(), 6) for _ in range(3)] == [0.1, 0.2, 0.3]
    now[0] = 100.0
    assert [limit.reserve() for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limit.reserve() > 0


GATEWAY = {
    "metadata": {"name": "pointsman", "namespace": "gateways"},
    "spec": {
        "gatewayClassName": "traefik",
        "listeners": [
            {"name": "web", "port": 8000, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}},
            {"name": "own", "port": 8443, "protocol": "HTTPS", "hostname": "a.example.com"},
        ],
    },
    "status": {"addresses": [{"type": "IPAddress", "value": "10.0.0.1"}]},
}


def test_what_a_gateway_and_its_class_say() -> None:
    gateway_class = {
        "spec": {"controllerName": "traefik.io/gateway-controller"},
        "status": {"supportedFeatures": [{"name": "HTTPRoute"}, "Gateway"]},
    }
    facts = gateway_facts(GATEWAY, gateway_class)
    assert facts == GatewayFacts(
        exists=True,
        controller="traefik.io/gateway-controller",
        features=frozenset({"HTTPRoute", "Gateway"}),
        listeners=(Listener("web", 8000, "HTTP", "", "All"), Listener("own", 8443, "HTTPS", "a.example.com", "Same")),
        addresses=("10.0.0.1",),
    )
    assert facts.allowed_from == {"All", "Same"}


def test_a_gateway_whose_class_is_not_there_says_what_it_can() -> None:
    facts = gateway_facts(GATEWAY, None)
    assert facts.exists
    assert (facts.controller, facts.features) == ("", frozenset())
