from __future__ import annotations

import pytest

from controller.embedded.gateway.filters import UnsupportedError
from controller.embedded.gateway.route import CompiledRoute, compile_route, seconds
from controller.embedded.gateway.table import RoutingTable
from controller.model.identity import ObjectKey
from controller.model.objects import put
from tests.embedded.gateway import cluster

pytestmark = pytest.mark.pure


def made(prefix: str, name: str | None = None, created: str = "") -> CompiledRoute:
    return CompiledRoute(ObjectKey("HTTPRoute", "ns", name or prefix), created, prefix)


def table_of(*prefixes: str) -> RoutingTable:
    table = RoutingTable()
    for prefix in prefixes:
        table.put(made(prefix))
    return table


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a/v1", "/a/v1"),
        ("/a/v1/", "/a/v1"),
        ("/a/v1/x/y", "/a/v1"),
        ("/a/v10", "/a"),
        ("/a/v1/deep", "/a/v1/deep"),
        ("/a/v1/deeper", "/a/v1"),
        ("/A/v1", None),
        ("/", None),
        ("//a/v1", None),
        ("/a//v1", "/a"),
        ("", None),
    ],
)
def test_the_longest_prefix_by_whole_elements_wins(path, found):
    route = table_of("/a", "/a/v1", "/a/v1/deep").find(path)
    assert (route and route.prefix) == found


def test_the_oldest_of_two_routes_with_one_path_serves_until_it_goes():
    table = RoutingTable()
    table.put(made("/a", "young", "2026-02-01T00:00:00Z"))
    table.put(made("/a", "old", "2026-01-01T00:00:00Z"))
    assert table.find("/a").key.name == "old"
    table.remove(ObjectKey("HTTPRoute", "ns", "old"))
    assert table.find("/a").key.name == "young"


def test_a_route_that_moves_leaves_nothing_behind():
    table = table_of("/a/b/c")
    table.put(made("/x", "/a/b/c"))
    assert table.find("/a/b/c") is None
    assert table.node("/a") is None
    assert table.find("/x/y").prefix == "/x"
    table.remove(ObjectKey("HTTPRoute", "ns", "/a/b/c"))
    assert [*table.node("/").walk()] == []


def test_thousands_of_routes_come_and_go():
    paths = [f"/o{i % 7}/p{i % 70}/d{i % 700}/v{i}/e" for i in range(10_000)]
    table = table_of(*paths)
    assert [table.find(path + "/x").prefix for path in paths] == paths
    for path in paths:
        table.remove(ObjectKey("HTTPRoute", "ns", path))
    assert table.node("/").children == {}


def test_a_catch_all_serves_everything():
    assert table_of("/").find("/any/thing").prefix == "/"


def test_near_matches_are_looked_for_at_the_first_unknown_element():
    table = table_of("/ruksi/mnist/americas/production/predict")
    assert table.near("/ruksi/minst/americas") == ["/ruksi/mnist"]
    assert table.near("/nothing") == []


@pytest.mark.parametrize(("text", "value"), [("60s", 60), ("1m30s", 90), ("250ms", 0.25), ("1h", 3600), ("0s", None)])
def test_durations(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "60", "-1s", "1.5s", "1d"])
def test_what_is_no_duration(text):
    with pytest.raises(UnsupportedError):
        seconds(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"matches": [{"path": {"type": "Exact", "value": "/a"}}]},
        {"matches": [{"path": {"type": "PathPrefix", "value": "/a"}, "method": "GET"}]},
        {"matches": [{"path": {"type": "PathPrefix", "value": "/a"}}] * 2},
        {"matches": [{"path": {"type": "PathPrefix", "value": "/a/../b"}}]},
        {"backendRefs": []},
        {"backendRefs": [{"name": "one", "namespace": "elsewhere"}]},
        {"backendRefs": [{"name": "one", "kind": "Bucket"}]},
        {"backendRefs": "one"},
        {"filters": [{"type": "CORS"}]},
        {"filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": "x"}}]},
        {
            "filters": [
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "X", "value": "a\r\nB: c"}]}}
            ]
        },
        {"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["Content-Length"]}}]},
        {"timeouts": {"request": "soon"}},
        {"timeouts": {"backendRequest": "1s"}},
        {"retry": {"attempts": 2}},
    ],
)
def test_what_is_not_understood_is_not_served(changed):
    route = cluster.route("/a", "one")
    rule = {**route["spec"]["rules"][0], **changed}
    assert compile_route(put(route, [rule], "spec", "rules")).problem is not None


def test_what_pointsman_writes_is_served():
    compiled = compile_route(cluster.route("/a/b/", "one", filters=(cluster.basic_auth("users"),)))
    assert compiled.problem is None
    assert (compiled.prefix, compiled.service, compiled.timeout) == ("/a/b", (cluster.NAMESPACE, "one"), 60.0)
    assert compiled.filters.access == ObjectKey("Secret", cluster.NAMESPACE, "users")
