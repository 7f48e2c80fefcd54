"""What a failed golden request says, asked of a gateway that answers as told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import cast

import pytest

from controller.engine.checks import known_gateways, run_confirm, run_golden
from controller.engine.targets import Target
from controller.model.changes import ConfirmCheck, GoldenCheck
from controller.model.declared import GoldenRequest
from controller.model.desired import TargetProfile
from controller.model.ports import ClusterClient, ImageBuilder

pytestmark = pytest.mark.contract

WORKLOAD = "predict-1-abc"
CONFIRM = ConfirmCheck("production", (("/v", WORKLOAD, "1"),))
PROFILE = TargetProfile("embedded", "embedded", "", "g", "g", "g", "linux/amd64")


@contextmanager
def gateway(
    status: int, body: str, workload: str | None = WORKLOAD, *, faults: Sequence[int] = (), pause: float = 0.0
) -> Iterator[Target]:
    """`faults` are what it answers by itself before it knows the workload; `pause` are seconds before it answers a HEAD."""
    faulty = list(faults)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = not faulty
            self.send_response(status if known else faulty.pop(0))
            if workload and known:
                self.send_header("X-Pointsman-Workload", workload)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body.encode())

        def do_HEAD(self) -> None:
            time.sleep(pause)
            with suppress(OSError):  # nobody may wait for it any more
                self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield Target(PROFILE, cast(ClusterClient, None), cast(ImageBuilder, None), lambda: (url,))
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "workload", "said"),
    [
        (200, '{"digit": 7, "model": "x"}', WORKLOAD, None),
        (200, '{"digit": 6}', WORKLOAD, "seven: expected json.digit = 7, got 6"),
        (200, "<html>", WORKLOAD, "seven: expected JSON, got: <html>"),
        (500, "Traceback", WORKLOAD, "seven: expected status 200, got 500: Traceback"),
        (502, "it closed\nthe connection", None, "seven: no answer but the gateway's own, 502: it closed the connection"),
        (200, "{}", "predict-0-old", "seven: answered by predict-0-old instead of predict-1-abc"),
        (404, "nothing here", None, "seven: answered by somebody else instead of predict-1-abc"),
    ],
)
def test_an_answer(status: int, body: str, workload: str | None, said: str | None) -> None:
    request = GoldenRequest("seven", json={"digit": 7}, expects_json=True)
    with gateway(status, body, workload) as target:
        assert run_golden(GoldenCheck("1/predict", WORKLOAD, "/v", (request,), 60.0), target.gateways()[0], lag=0.0) == said


@pytest.mark.parametrize(
    ("expected", "body", "said"),
    [
        ({"error": None}, '{"error": null}', None),
        ({"error": None}, "{}", "any: json.error is missing"),
        ({"error": None}, '{"error": 0}', "any: expected json.error = null, got 0"),
        ({"": 1}, "{}", "any: json. is missing"),
        ([{"digit": 7}], '[{"model": "x"}]', "any: json[0].digit is missing"),
        ({"answer": {"digit": 7}}, '{"answer": null}', 'any: expected json.answer = {"digit": 7}, got null'),
    ],
)
def test_a_key_that_is_expected_has_to_be_there(expected: object, body: str, said: str | None) -> None:
    request = GoldenRequest("any", json=expected, expects_json=True)
    with gateway(200, body) as target:
        assert run_golden(GoldenCheck("1/predict", WORKLOAD, "/v", (request,), 60.0), target.gateways()[0], lag=0.0) == said


def test_a_gateway_that_does_not_know_the_route_or_the_replica_yet_is_asked_again() -> None:
    request = GoldenRequest("seven", json={"digit": 7}, expects_json=True)
    with gateway(200, '{"digit": 7}', faults=(404, 404, 503, 503, 502)) as target:
        assert run_golden(GoldenCheck("1/predict", WORKLOAD, "/v", (request,), 60.0), target.gateways()[0], lag=60.0) is None


@pytest.mark.parametrize(
    "request_",
    [
        GoldenRequest("odd", headers={"X-Name": "é"}),
        GoldenRequest("odd", headers={"X-Name": "a\nX-Other: b"}),
        GoldenRequest("odd", headers={"Content-Length": "5"}),
        GoldenRequest("odd", method="é"),
        GoldenRequest("odd", path="/\x01"),
        GoldenRequest("odd", path="/" + "a" * 70_000),
    ],
)
def test_a_request_that_http_cannot_say_is_a_failure_and_no_fault_of_the_controller(request_: GoldenRequest) -> None:
    with gateway(200, "{}") as target:
        said = run_golden(GoldenCheck("1/predict", WORKLOAD, "/v", (request_,), 60.0), target.gateways()[0], lag=0.0)
    assert said
    assert said.startswith(("odd: it cannot be sent: ", "odd: no answer: "))


def test_an_answer_that_is_larger_than_any_expectation_is_not_read_to_its_end() -> None:
    with gateway(200, "x" * (9 << 20)) as target:
        said = run_golden(GoldenCheck("1/predict", WORKLOAD, "/v", (GoldenRequest("large"),), 60.0), target.gateways()[0])
    assert said == "large: the answer is larger than 8 MiB"


def test_an_endpoint_that_is_slow_to_answer_confirms_within_its_own_patience() -> None:
    with gateway(200, "", pause=6.0) as target:
        assert run_confirm(target, replace(CONFIRM, patience=60.0), lambda: False)


def test_an_endpoint_that_is_slower_than_the_patience_confirms_nothing() -> None:
    turns = iter((False, False))
    with gateway(200, "", pause=2.0) as target:
        assert not run_confirm(target, replace(CONFIRM, patience=0.1), lambda: next(turns, True))


def test_without_a_gateway_nobody_is_asked_and_nothing_is_confirmed() -> None:
    target = Target(PROFILE, cast(ClusterClient, None), cast(ImageBuilder, None), tuple)
    assert known_gateways(target, lambda: True) == ()
    assert not run_confirm(target, CONFIRM, lambda: True)
