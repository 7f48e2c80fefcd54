"""The plan that a person sees is the one that a running controller follows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.cli.release.conftest import Project
from tests.cli.typed import Typed

pytestmark = pytest.mark.system

SERVER = """
import http.server, os
http.server.HTTPServer(("", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def served(project: Project) -> Iterator[Project]:
    """The project's commits, followed by a controller in a process of its own."""
    for name in ("serve.py", "predict.py"):
        project.write(name, SERVER)
    for name in ("v1", "v2", "v3"):
        project.git("mv", f"pointsman/versions/{name}.yaml", f"pointsman/versions/{name}-served.yaml")
    for deployment, alias, version in (("eu", "production", "v1"), ("eu", "staging", "v2"), ("us", "production", "v1")):
        project.write(f"pointsman/deployments/{deployment}/aliases/{alias}.yaml", f'version: "{version}-served"\n')
    project.commit("Serve over HTTP")
    command = [sys.executable, "-m", "controller", "up", "--committed"]
    with (project.path.parent / "up.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=project.path, stdout=log, stderr=log)
    try:
        yield project
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def plan_until(project: Project, code: int) -> Typed:
    deadline = time.monotonic() + 120
    while True:
        done = project.run("plan", "--exit-code")
        if done.code == code and "empty target" not in done.err:
            return done
        assert time.monotonic() < deadline, f"{done.out}\n{done.err}\n{(project.path.parent / 'up.log').read_text()}"
        time.sleep(0.5)


def test_nothing_is_left_to_do_once_it_serves_and_a_rollback_asks_its_record(served: Project) -> None:
    done = plan_until(served, 0)
    assert "nothing to do" in done.out
    assert served.run("promote", "production", "v2-served", "-d", "eu", "--no-commit").code == 0
    ahead = served.run("plan", "eu", "--exit-code")
    assert ahead.code == 2
    assert "HTTPRoute" in ahead.out
    served.git("restore", ".")
    served.run("promote", "production", "v2-served", "-d", "eu")
    plan_until(served, 0)
    back = served.run("rollback", "production", "-d", "eu")
    assert back.out == "eu/production: v2-served → v1-served\n"
    assert "warning" not in back.err
