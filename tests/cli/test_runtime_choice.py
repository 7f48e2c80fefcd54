"""What `--runtime` chooses where there is no Engine, or none that answers; tests/system/test_docker_runtime.py has one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from controller.cli.runtime.choice import choose, is_local
from controller.model.errors import Stalled, Unavailable

pytestmark = pytest.mark.contract


def test_processes_are_chosen_without_a_look_for_an_engine() -> None:
    assert choose("process", {"DOCKER_HOST": "ssh://nowhere.invalid"}).name == "process"


def test_auto_takes_processes_where_no_engine_is_and_says_why(tmp_path: Path) -> None:
    choice = choose("auto", {"DOCKER_HOST": f"unix://{tmp_path}/absent.sock"})
    assert choice.name == "process"
    reason = f"no Docker Engine answers at unix://{tmp_path}/absent.sock"
    assert choice.sentence == f"endpoints run as processes of this machine: {reason}"


def test_auto_does_not_wait_for_an_engine_that_hangs(tmp_path: Path) -> None:
    """Nothing is ever read from it: without a limit this test would not end."""
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(tmp_path / "docker.sock"))
        hanging.listen()
        choice = choose("auto", {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    assert choice.name == "process"
    assert "the Docker Engine did not answer" in choice.sentence


def test_docker_without_an_engine_is_an_error_with_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no Docker Engine answers") as refused:
        choose("docker", {"DOCKER_HOST": f"unix://{tmp_path}/absent.sock"})
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("start Docker; ")
    assert refused.value.hint.endswith("; or run processes: --runtime process")


def test_an_engine_that_stops_answering_well_is_none(tmp_path: Path) -> None:
    with answering_once(tmp_path) as environment:
        choice = choose("auto", environment)
    assert choice.name == "process"
    assert "cannot say its version: not today" in choice.sentence
    with answering_once(tmp_path) as environment, pytest.raises(Stalled, match="not today") as refused:
        choose("docker", environment)
    assert refused.value.hint == "run processes: --runtime process"


@contextmanager
def answering_once(folder: Path) -> Iterator[dict[str, str]]:
    """Something that says which version of the API it speaks, and then refuses everything."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/version"
            body = json.dumps({"ApiVersion": "1.41"} if known else {"message": "not today"}).encode()
            self.send_response(200 if known else 400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}", "DOCKER_CONFIG": str(folder)}
        server.shutdown()


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http+docker://localhost", True),
        ("http://127.0.0.1:2375", True),
        ("https://[::1]:2376", True),
        ("http+docker://ssh", False),
        ("https://docker.example.com:2376", False),
    ],
)
def test_an_engine_elsewhere_publishes_its_ports_elsewhere(address: str, local: bool) -> None:
    assert is_local(address) is local


@pytest.mark.parametrize("command", [["up"], ["apply", "--once"], ["demo"]])
def test_each_command_says_so_and_ends_with_one(command: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "POINTSMAN_RUNTIME": "docker", "DOCKER_HOST": f"unix://{tmp_path}/absent.sock"}
    environment |= {"XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "controller", *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"error: no Docker Engine answers at unix://{tmp_path}/absent.sock\nhint: start Docker" in done.stderr
