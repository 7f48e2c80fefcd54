"""A gateway's replicas are asked one by one, under their own addresses, for the host that their routes are bound to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import cast

import pytest

from controller.engine.checks import run_confirm, run_golden
from controller.engine.targets import Target
from controller.model.changes import ConfirmCheck, GoldenCheck
from controller.model.declared import GoldenRequest
from controller.model.desired import TargetProfile
from controller.model.ports import ClusterClient, ImageBuilder

pytestmark = pytest.mark.contract

WORKLOAD = "predict-1-abc"
CONFIRM = ConfirmCheck("production", (("/v", WORKLOAD, "1"),))
GOLDEN = GoldenCheck("1/predict", WORKLOAD, "/v", (GoldenRequest("any"),), 60.0)


@contextmanager
def replica(host: str) -> Iterator[str]:
    """The address of a gateway that has routes for one host alone."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_routed = self.headers["Host"] == host
            self.send_response(200 if is_routed else 404)
            if is_routed:
                self.send_header("X-Pointsman-Workload", WORKLOAD)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815  the name that http.server calls

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def target(url: str, *replicas: str) -> Target:
    profile = TargetProfile("us-east", "kubernetes", url, "g", "g", "g", "linux/amd64")
    return Target(profile, cast(ClusterClient, None), cast(ImageBuilder, None), lambda: replicas)


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://models.example.com", "models.example.com"), ("http://models.example.com:8000", "models.example.com:8000")],
)
def test_every_replica_is_asked_for_the_host_of_the_targets_url(url: str, host: str) -> None:
    with replica(host) as one, replica(host) as other:
        assert run_confirm(target(url, one, other), CONFIRM, lambda: False)
        assert run_golden(GOLDEN, one, host=target(url).host, lag=0.0) is None


def test_a_replica_without_the_route_confirms_nothing() -> None:
    deadline = iter((False,) * 6)
    with replica("models.example.com") as one, replica("other.example.com") as other:
        served = target("https://models.example.com", one, other)
        assert not run_confirm(served, CONFIRM, lambda: next(deadline, True))


def test_a_target_without_a_name_of_its_own_is_asked_by_its_address() -> None:
    with replica("10.0.0.1:8000") as one:
        assert run_confirm(target("http://10.0.0.1:8000", one), CONFIRM, lambda: False)
