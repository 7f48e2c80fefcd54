"""Parts of the daemon by themselves: its health answers, its log lines, a target that opens late."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from contextlib import ExitStack
from typing import cast

import httpx2
import pytest

from controller.cli.running.cluster_target import lease_name, process_name
from controller.cli.running.health import HealthServer, Verdict
from controller.cli.running.late_target import LateTarget
from controller.cli.running.logs import JsonLines
from controller.engine.targets import Target
from controller.model.configuration import LeaderElection
from controller.model.errors import Stalled

pytestmark = pytest.mark.contract


def test_health_answers_as_its_checks_do() -> None:
    verdicts = {"/readyz": Verdict(("target a: it is being connected",), ("source b: gone",)), "/healthz": Verdict(())}
    with HealthServer(("127.0.0.1", 0), {path: lambda v=v: v for path, v in verdicts.items()}) as server:
        base = f"http://127.0.0.1:{server.port}"
        with httpx2.Client(base_url=base, trust_env=False) as client:
            ready = client.get("/readyz?verbose")
            assert (ready.status_code, ready.text) == (503, "target a: it is being connected\nsource b: gone\n")
            assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok\n")
            assert client.get("/").status_code == 404
            assert client.post("/healthz").status_code == 501
        with pytest.raises(Stalled, match="cannot be answered"):
            HealthServer(("127.0.0.1", server.port), {})


def test_health_answers_over_ipv6_too() -> None:
    with HealthServer(("::1", 0), {"/healthz": lambda: Verdict(())}) as server:
        assert httpx2.get(f"http://[::1]:{server.port}/healthz", trust_env=False).text == "ok\n"


def test_a_log_line_is_one_json_object_also_with_a_traceback() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("pointsman", logging.ERROR, "x.py", 1, "pass over %s", ("a/b/c",), sys.exc_info())
    line = JsonLines().format(record)
    assert "\n" not in line
    document = json.loads(line)
    assert (document["level"], document["message"]) == ("error", "pass over a/b/c")
    assert "ValueError: two\nlines" in document["exception"]


def test_a_target_is_opened_as_soon_as_it_can_be_and_what_failed_is_closed() -> None:
    closed: list[str] = []
    failing = threading.Event()

    def open_target(opened: ExitStack) -> Target:
        opened.callback(closed.append, "closed")
        failing.set()
        raise Stalled("the Gateway does not exist", hint="make it")

    late = LateTarget("a", open_target, lambda _target: None)
    assert not late.was_tried
    late.start()
    assert failing.wait(60.0)
    late.stop()
    assert late.was_tried
    assert late.error == "the Gateway does not exist\n  hint: make it"
    assert closed


def test_a_target_that_opens_while_all_ends_is_closed_and_never_told() -> None:
    asked, answer = threading.Event(), threading.Event()
    closed: list[str] = []
    told: list[Target] = []

    def open_target(opened: ExitStack) -> Target:
        opened.callback(closed.append, "closed")
        asked.set()
        assert answer.wait(60.0)
        return cast("Target", object())

    late = LateTarget("a", open_target, told.append)
    late.start()
    assert asked.wait(60.0)
    late.give_up()
    answer.set()
    late.stop()
    assert closed
    assert not told


def test_a_lease_has_a_name_of_its_own_that_is_fit_for_an_object() -> None:
    names = {lease_name(installation, target) for installation in ("a", "b") for target in ("us_east.1", "us-east-1")}
    assert len(names) == 4
    assert all(name.startswith("pointsman-us-east-1-") for name in names)


def test_a_process_has_one_name_in_leases_and_events() -> None:
    assert process_name(LeaderElection(identity="pod-1")) == "pod-1"
    assert process_name(LeaderElection()) == f"{socket.gethostname()}-{os.getpid()}"
