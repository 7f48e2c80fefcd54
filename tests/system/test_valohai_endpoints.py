"""The endpoints of Valohai's own documentation, unchanged."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.repository import path
from tests.system.stage import Stage, eventually

pytestmark = pytest.mark.system
REQUESTS = 50
GREET = {"name": "greet-me", "image": "python:3.11", "port": 8000, "server-command": "python -m wsgiref.simple_server"}
WSGI = {"name": "greet", "image": "python:3.11", "wsgi": "greet:application"}
APPLICATION = """
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"hello from {environ['SERVER_SOFTWARE']} below {environ['HTTP_X_VH_PREFIX']}".encode()]
"""


def test_greet_me_answers_every_request_in_two_versions_at_once(stage: Stage) -> None:
    """`wsgiref.simple_server` answers one connection and ends; nobody but its own log may notice."""
    repository = stage.repository
    for name in ("1.0", "2.0"):
        repository.release(name, **{"valohai.yaml": json.dumps([{"endpoint": GREET}])})
    urls = [path(name, endpoint="greet-me") for name in ("1.0", "production")]
    for url in urls:
        eventually(lambda url=url: stage.get(url).status_code == 200)
    with ThreadPoolExecutor(len(urls)) as pool:
        for served in pool.map(lambda url: [stage.get(url) for _ in range(REQUESTS)], urls):
            assert {answer.status_code for answer in served} == {200}
            assert all("Hello world!" in answer.text for answer in served)
            assert len({answer.headers["X-Pointsman-Version"] for answer in served}) == 1


def test_a_wsgi_endpoint_gets_a_server(stage: Stage) -> None:
    files = {"greet.py": APPLICATION, "valohai.yaml": json.dumps([{"endpoint": WSGI}])}
    stage.repository.release("1.0", **files)
    url = path("production", endpoint="greet")
    eventually(lambda: stage.get(url).status_code == 200, stage.reasons)
    assert f"below {url}" in stage.get(url).text
    assert "gunicorn" in stage.get(url).text
