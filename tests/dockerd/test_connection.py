"""A real Engine, and the ways in which there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from controller.dockerd.connection import answering, connect, engine_errors
from controller.dockerd.streams import read_stream
from controller.model.errors import PointsmanError, Stalled, Unavailable
from tests.docker_engine.engine import Engine

pytestmark = pytest.mark.contract

CONNECT = """\
import os, sys
import docker, requests, urllib3
from controller.dockerd.connection import connect
from controller.model.errors import PointsmanError
os.setgid(65534); os.setuid(65534)
try:
    connect({"DOCKER_HOST": sys.argv[1]})
except PointsmanError as error:
    print(type(error).__name__, error.message, error.hint, sep="|")
"""


@contextmanager
def answering_api(version: str) -> Iterator[dict[str, str]]:
    """Something that says to be an Engine of this version of the API."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"ApiVersion": version}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}"}
        server.shutdown()


def test_an_engine_is_found_by_the_callers_variables(docker_engine: Engine) -> None:
    client = connect(docker_engine.environment)
    try:
        assert client.ping()
        assert client.api.timeout == 600
    finally:
        client.close()


def test_a_context_leads_to_an_engine_too(docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    made = ["docker", "context", "create", "other", "--docker", f"host={docker_engine.url}"]
    for command in (made, ["docker", "context", "use", "other"]):
        subprocess.run(command, env={**os.environ}, check=True, capture_output=True)
    for environment in ({}, {"DOCKER_CONTEXT": "other"}):
        client = connect(environment)
        try:
            assert client.ping()
        finally:
            client.close()
    with pytest.raises(Stalled, match="no Docker context another"):
        connect({"DOCKER_CONTEXT": "another"})


def test_no_engine_is_no_fault_where_one_is_only_looked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "controller.dockerd")
    assert answering({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}) is None
    assert "no Docker Engine answers" in caplog.text


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:9"])
def test_without_an_engine_the_error_says_how_to_get_one(host: str) -> None:
    with pytest.raises(Unavailable, match=f"no Docker Engine answers at {host}") as caught:
        connect({"DOCKER_HOST": host})
    assert "DOCKER_HOST" in (caught.value.hint or "")


def test_a_forbidden_socket_names_the_group(docker_engine: Engine) -> None:
    docker_engine.socket.parent.chmod(0o755)
    docker_engine.socket.chmod(0o600)
    done = subprocess.run([sys.executable, "-c", CONNECT, docker_engine.url], capture_output=True, text=True, check=True)
    kind, message, hint = done.stdout.strip().split("|")
    assert (kind, message) == ("Stalled", "this account may not use the Docker Engine's socket")
    assert "group `docker`" in hint


def test_an_old_engine_is_refused_by_its_version() -> None:
    with answering_api("1.40") as environment, pytest.raises(Stalled, match=r"version 1\.40 of its API, not 1\.41") as caught:
        connect(environment)
    assert caught.value.hint == "use Docker Engine 20.10 or newer"


def test_a_failure_inside_a_stream_is_raised(docker_engine: Engine) -> None:
    client = connect(docker_engine.environment)
    try:
        docker_engine.run("import", "/dev/null", "127.0.0.1:9/empty:1")
        lines = read_stream(lambda: client.api.push("127.0.0.1:9/empty", "1", stream=True, decode=True), "push the image empty")
        with pytest.raises(Unavailable, match=r"cannot push the image empty: .*connection refused"):
            list(lines)
    finally:
        client.close()


def test_a_failure_before_a_stream_is_raised_in_the_same_way(docker_engine: Engine) -> None:
    client = connect(docker_engine.environment)
    try:
        lines = read_stream(lambda: client.api.pull("127.0.0.1:9/none", "1", stream=True, decode=True), "pull the image none")
        with pytest.raises(PointsmanError, match=r"cannot pull the image none: .*connection refused"):
            list(lines)
    finally:
        client.close()


def test_what_is_not_there_is_said_with_its_name(docker_engine: Engine) -> None:
    client = connect(docker_engine.environment)
    try:
        wanted = "cannot look at the image none:1: .*o such image: none:1"
        with pytest.raises(Stalled, match=wanted), engine_errors("look at the image none:1"):
            client.api.inspect_image("none:1")
    finally:
        client.close()


def test_the_sdk_is_loaded_only_when_an_engine_is_wanted() -> None:
    code = (
        "import sys, controller.cli.app, controller.dockerd.streams; print('docker' in sys.modules, 'requests' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
