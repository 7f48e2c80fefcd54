"""The end of a process that has asked endpoints which accept every connection and never answer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench.declared_repository import Shape
from controller.engine.builds import Builds
from controller.engine.planning import UnitWork
from controller.engine.questions import Questions
from controller.engine.steps import unobserved
from controller.model.changes import ConfirmCheck, GoldenCheck, Plan
from controller.model.declared import GoldenRequest
from tests.engine.settling import settling

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[2]
PATIENCE = 3600.0
QUESTIONS = 2
ASKS = "import sys; from tests.engine.test_hanging_endpoints import ask; ask(*sys.argv[1:])"


def ask(url: str, directory: str) -> None:
    """Ask a gateway a golden request and a confirmation that may take an hour, until a signal ends it."""
    with settling(Path(directory), Shape(1, 1), lambda usual: replace(usual, gateways=lambda: (url,))) as made:
        questions = Questions(Builds(lambda *_: None), unobserved, lambda _unit: None)
        golden = GoldenCheck("1/predict", "predict-1-abc", "/v", (GoldenRequest("any"),), PATIENCE)
        confirm = ConfirmCheck("production", (("/v", "predict-1-abc", "1"),), PATIENCE)
        plan = Plan(made.units[0], "0" * 40, time.time(), golden=(golden,), confirms=(confirm,))
        try:
            questions.ask(UnitWork(made.units[0], made.sight, made.publication), plan, {}, None)
            signal.pause()
        finally:
            questions.close()


@contextmanager
def asking(url: str, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", ASKS, url, str(directory)], cwd=ROOT, stderr=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_a_question_without_an_answer_does_not_hold_the_end_of_the_process_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60.0)
        with asking(f"http://127.0.0.1:{server.getsockname()[1]}", tmp_path) as process:
            accepted = [server.accept()[0] for _ in range(QUESTIONS)]
            assert sorted(connection.recv(4) for connection in accepted) == [b"GET ", b"HEAD"]
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=120)
            for connection in accepted:
                connection.close()
    assert process.returncode == -signal.SIGINT, said.decode()
    assert said.decode().rstrip().endswith("KeyboardInterrupt")
