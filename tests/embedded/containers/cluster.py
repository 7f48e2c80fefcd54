"""The runtime tests' cluster, with containers of a real Engine instead of processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.dockerd.connection import connect
from controller.embedded.runtime.docker.runtime import containers
from controller.embedded.runtime.host import Backoff
from controller.embedded.runtime.runner import Runner
from controller.embedded.secrets import SecretFiles
from controller.embedded.store import EmbeddedStore
from controller.model.labels import STATE_DIRECTORY
from controller.model.objects import Object
from tests.docker_engine.engine import Engine
from tests.embedded.runtime.cluster import Cluster, deployment

SERVER = """
import http.server, json, os, pathlib
def limit():
    for file in ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"):
        if os.path.exists(file):
            return int(open(file).read())
def refusal(act):
    try:
        act()
    except OSError as error:
        return error.strerror
file = pathlib.Path("/valohai/code/valohai-metadata.json")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        body = json.dumps({
            "env": dict(os.environ), "cwd": os.getcwd(), "host": os.uname().nodename, "memory": limit(),
            "capabilities": status["CapEff"].strip(), "frozen": status["NoNewPrivs"].strip(), "uid": os.getuid(),
            "metadata": file.read_text() if file.exists() else None, "written": refusal(lambda: file.write_text("x")),
            "first": pathlib.Path("/proc/1/comm").read_text().strip(),
        }).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
LONGEST = 90.0


class DockerCluster(Cluster):
    """Its images are those of the Engine: `image` names the one that runs."""

    def __init__(self, root: Path, store: EmbeddedStore, engine: Engine) -> None:
        super().__init__(root, store)
        self.engine = engine
        self.client = connect(engine.environment, 120)
        self.reference = image_of(engine)

    def start(self) -> Runner:
        self.runner = Runner(
            self.store, containers(self.client), self.root / "run", drain=0.2, backoff=Backoff(0.1, 0.4)
        )  # fmt: skip
        self.runner.start()
        return self.runner

    def close(self) -> None:
        super().close()
        self.client.close()

    def declared(self, name: str, command: list[str] | str, **settings: object) -> Object:
        """A Deployment of the base image."""
        given: dict[str, object] = {"image": self.reference, **settings}
        return deployment(name, command, **given)  # type: ignore[arg-type]  # each test gives what it wants

    def serve(self, name: str, code: str = SERVER, **settings: object) -> None:
        self.store.apply(self.declared(name, ["python3", "-c", code], **settings))

    def containers(self) -> list[dict[str, str]]:
        """Those of this cluster's directory, running or not."""
        return containers_of(self.engine, self.root)


def image_of(engine: Engine, name: str = "python:3.11") -> str:
    """An image as Deployments name it: the part behind the `@` counts."""
    return f"pointsman.local/x@{engine.run('image', 'inspect', '--format', '{{.Id}}', name).strip()}"


def containers_of(engine: Engine, root: Path) -> list[dict[str, str]]:
    listed = engine.run("ps", "--all", "--no-trunc", "--filter", f"label={STATE_DIRECTORY}={root}", "--format", "{{json .}}")
    return [json.loads(line) for line in listed.splitlines()]


def remove_all(engine: Engine) -> None:
    """Whatever a failed test left."""
    left = engine.run("ps", "--all", "--quiet").split()
    if left:
        engine.run("rm", "--force", *left)


@contextmanager
def docker_cluster(root: Path, engine: Engine) -> Iterator[DockerCluster]:
    with EmbeddedStore(root / "store", secrets=SecretFiles(root / "secrets")) as store:
        cluster = DockerCluster(root, store, engine)
        try:
            yield cluster
        finally:
            cluster.close()
