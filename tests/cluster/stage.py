"""`pointsman run` beside the real cluster, over a repository of its own, asked over HTTP as any client would.

Each stage has a project, a namespace and an installation that nobody else has, so that several share one cluster.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from controller.model import labels
from controller.model.errors import PointsmanError
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object, annotation, key_of
from controller.model.ports import ClusterClient
from controller.model.record import UnitRecord
from controller.state.record_format import from_config_map
from tests.cluster.fixtures import Testbed
from tests.cluster.installation import Installation, installed, remove_namespace
from tests.system.repository import DEPLOYMENT, ENDPOINT, OWNER, Repository

LONGEST = 180.0
ENDING = 60.0
KINDS = ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Middleware", "HTTPRoute")
_ROOT = Path(__file__).parents[2]
T = TypeVar("T")


def eventually(look: Callable[[], T], seen: Callable[[], object] = lambda: "", longest: float = LONGEST) -> T:
    """Look until the answer is true; `seen` says in the failure what was there instead."""
    deadline = time.monotonic() + longest
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {longest:.0f} s: {seen()}"
        time.sleep(0.05)
    return found


def open_to_all(directory: Path, project: str) -> Repository:
    """The echo server and an open deployment; nothing is released yet."""
    repository = Repository.create(directory, project)
    repository.configure(rollout={"deadline": "2m"})
    return repository


@dataclass
class Stage:
    """A repository and the configuration of controllers that follow it; `controller` runs one."""

    testbed: Testbed
    client: ClusterClient
    http: httpx2.Client
    installation: Installation
    repository: Repository
    unit: UnitKey
    directory: Path
    gateways: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys of the target in controller.yaml, in place of this module's."""
    lease: str = "5s"
    """How long a controller that was killed is waited for; longer where a busy machine delays the living one."""
    target: str = "cluster"
    """Its name; the one of the stage that runs the controller is the default."""
    beside: list[Stage] = field(default_factory=list)
    """The same project on other clusters, which this one's controller serves too."""
    logs: list[Path] = field(default_factory=list)

    # the controller

    @contextmanager
    def controller(self, kill_at: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """`pointsman run`; ended and waited for on the way out, killed if it does not end by itself.

        `kill_at` is `<step>:<n>` (controller.engine.steps): there it dies as by kill -9.
        """
        config = self.configure()
        run = [sys.executable, "-m", "controller", "-v", "run", "--config", str(config)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("POINTSMAN_", "KUBE"))}
        self.logs.append(self.directory / f"log-{len(self.logs)}")
        with self.logs[-1].open("wb") as log:
            process = subprocess.Popen(
                run, cwd=_ROOT, env={**environment, "POINTSMAN_KILL_AT": kill_at}, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def log(self) -> str:
        """The end of what the newest controller has said."""
        return self.logs[-1].read_text()[-6000:] if self.logs else ""

    def configure(self) -> Path:
        """Write the configuration: JSON is YAML too."""
        targets = {here.target: here.configured() for here in (self, *self.beside)}
        targets[self.target]["default"] = True
        source = {
            "repository": self.repository.root.as_uri(),
            "interval": "1s",
            "grants": {"projects": [f"{self.unit.owner}/{self.unit.project}"], "targets": ["*"]},
        }
        document = {
            "format": 1,
            "installation": self.installation.name,
            "state": {"directory": str(self.directory / "state"), "cache": str(self.testbed.state / "image-cache")},
            "sources": {"project": source},
            "targets": targets,
            "images": {"mirrors": {"docker.io": self.testbed.registry}},
            "leaderElection": {"duration": self.lease},  # what a start after kill -9 waits for; the default is 15
            "health": {"address": f"127.0.0.1:{_free_port()}"},
        }
        file = self.directory / "controller.yaml"
        file.write_text(json.dumps(document, indent=1))
        return file

    def configured(self) -> dict[str, Any]:
        """What controller.yaml says of this target."""
        gateway = {"url": self.gateways[0], "replicas": list(self.gateways)}
        return {
            "kubernetes": {"kubeconfig": str(self.installation.kubeconfig)},
            "gateway": gateway,
            "registry": {
                "url": f"{self.testbed.registry}/pointsman",
                "pull": f"{self.testbed.pull}/pointsman",
                "insecure": True,
            },
            "controllerNamespace": self.installation.namespace,
            # Seconds of waiting that a test would spend for nothing; the defaults are 10 and 30.
            "minReadySeconds": 1,
            "drain": "3s",
            **self.settings,
        }

    # what it serves

    def of(self, deployment: str) -> Stage:
        """The same, seen from another deployment of the project."""
        return replace(self, unit=replace(self.unit, deployment=deployment))

    def path(self, name: str, endpoint: str = ENDPOINT) -> str:
        return f"{self.unit.path}/{name}/{endpoint}"

    def urls(self, name: str, endpoint: str = ENDPOINT) -> list[str]:
        """The same endpoint at every gateway replica."""
        return [gateway + self.path(name, endpoint) for gateway in self.gateways]

    def get(self, name: str, endpoint: str = ENDPOINT, **more: Any) -> httpx2.Response:
        return self.ask("GET", name, endpoint, **more)

    def ask(self, method: str, name: str, endpoint: str = ENDPOINT, *, gateway: int = 0, **more: Any) -> httpx2.Response:
        """One request to one gateway replica."""
        return self.http.request(method, self.gateways[gateway] + self.path(name, endpoint), **more)

    def said(self, name: str, *, gateway: int = 0) -> dict[str, Any]:
        """The body of the endpoint's answer, or what came instead."""
        try:
            answer = self.get(name, gateway=gateway)
        except httpx2.HTTPError as error:
            return {"error": repr(error)}
        body: dict[str, Any] = (
            answer.json() if answer.status_code == 200 else {"status": answer.status_code, "text": answer.text}
        )
        return body

    def until(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The first answer that holds everything that is wanted, as every gateway replica gives it."""

        def look() -> dict[str, Any] | None:
            answers = [self.said(name, gateway=number) for number in range(len(self.gateways))]
            return answers[-1] if all(wanted.items() <= said.items() for said in answers) else None

        return eventually(look, lambda: f"{self.said(name)}; {self.conditions()}\n{self.log()}")

    # what is on the cluster

    @property
    def namespace(self) -> str:
        return self.unit.namespace

    def record(self) -> UnitRecord:
        found = self.client.get(ObjectKey("ConfigMap", self.namespace, self.unit.record_name))
        return from_config_map(found) if found else UnitRecord(self.unit)

    def conditions(self) -> str:
        """What the record says, in its words."""
        return "\n".join(f"{c.type}={c.status} {c.reason}: {c.message}" for c in self.record().conditions)

    def is_applied(self, commit: str) -> bool:
        return commit in self.record().applied

    def until_applied(self, commit: str) -> None:
        """Wait until nothing is left to do for a commit but clocks."""
        eventually(lambda: self.is_applied(commit), lambda: f"{self.conditions()}\n{self.log()}")

    def objects(self, *kinds: str) -> dict[ObjectKey, Object]:
        """The objects of this project that Pointsman made."""
        mine = {labels.MANAGED_BY: "pointsman"}
        listed = (self.client.list(kind, namespace=self.namespace, labels=mine).items for kind in kinds or KINDS)
        return {key_of(obj): obj for items in listed for obj in items}

    def workload(self, version: str, endpoint: str = ENDPOINT) -> Object:
        """The newest Deployment of an endpoint of a version."""
        found = [
            obj
            for obj in self.objects("Deployment").values()
            if annotation(obj, labels.VERSION) == version and annotation(obj, labels.ENDPOINT) == endpoint
        ]
        assert found, f"{version} has no workload"
        return max(found, key=lambda obj: str(obj["metadata"]["creationTimestamp"]))

    def pods(self) -> dict[str, Object]:
        """Every pod of the project by its UID."""
        return {pod["metadata"]["uid"]: pod for pod in self.client.list("Pod", namespace=self.namespace).items}

    def survives(self, process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> bool:
        """Whether it is reached, or False if the controller dies first."""
        deadline = time.monotonic() + LONGEST
        while process.poll() is None:
            with suppress(PointsmanError):
                if reached():
                    return True
            assert time.monotonic() < deadline, f"not within {LONGEST:.0f} s: {self.conditions()}\n{self.log()}"
            time.sleep(0.05)
        return False


@contextmanager
def staged(
    testbed: Testbed,
    directory: Path,
    *,
    owner: str = OWNER,
    deployment: str = DEPLOYMENT,
    make: Callable[[Path, str], Repository] = open_to_all,
) -> Iterator[Stage]:
    """A stage of its own below `directory`; on the cluster, nothing of it remains."""
    name = f"stage-{secrets.token_hex(4)}"
    unit = UnitKey(owner, name, deployment)
    repository = make(directory / "repository", name)
    with ExitStack() as opened:
        installation = opened.enter_context(installed(testbed.kubeconfig, name, directory))
        opened.callback(remove_namespace, testbed.kubeconfig, unit.namespace)
        client = opened.enter_context(KubernetesClient(connect(kubeconfig=testbed.kubeconfig)))
        http = opened.enter_context(httpx2.Client(timeout=60.0, trust_env=False))
        yield Stage(testbed, client, http, installation, repository, unit, directory, testbed.gateways)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
