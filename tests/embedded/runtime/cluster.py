"""What the runtime's tests share: an image on disk, Deployments, and questions with a deadline."""

from __future__ import annotations

import shutil
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from controller.embedded.runtime.host import Backoff
from controller.embedded.runtime.process.runtime import processes
from controller.embedded.runtime.runner import Runner
from controller.embedded.store import EmbeddedStore
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey
from controller.model.objects import Object, at
from controller.model.ports import UnpackedImage

NAMESPACE = "ruksi-mnist-000000"
SHIM = Path(__file__).parents[3] / "controller/images/shim.py"
T = TypeVar("T")


class DirectoryImages:
    """Unpacked images straight from directories: `<root>/<reference without digest>`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def unpack(self, reference: str) -> UnpackedImage:
        root = self._root / reference.partition("@")[0]
        if not root.exists():
            raise Stalled(f"the image {reference} is not there")
        packages = root / "packages"
        return UnpackedImage(root / "code", root / "own", packages if packages.exists() else None)


class Cluster:
    """A store with a runner, quick pauses, and one image named `image`."""

    def __init__(self, root: Path, store: EmbeddedStore) -> None:
        self.root = root
        self.store = store
        self.image = root / "images" / "image"
        for part in ("code", "own"):
            (self.image / part).mkdir(parents=True, exist_ok=True)
        shutil.copy(SHIM, self.image / "own" / "shim.py")
        self.runner: Runner | None = None

    def start(self) -> Runner:
        self.runner = new_runner(self.root, self.store)
        self.runner.start()
        return self.runner

    def close(self) -> None:
        if self.runner is not None:
            self.runner.stop(5.0)
            self.runner = None

    def code(self, **files: str) -> None:
        """Python files of the image's code directory."""
        for name, text in files.items():
            (self.image / "code" / f"{name}.py").write_text(text)

    def run(self, name: str, command: Sequence[str] | str, **settings: Any) -> ObjectKey:
        self.store.apply(deployment(name, command, **settings))
        return ObjectKey("Deployment", NAMESPACE, name)

    def pods(self, workload: str) -> list[Object]:
        return sorted(self._of("Pod", workload), key=lambda pod: pod["metadata"]["name"])

    def ready_ports(self, workload: str) -> list[int]:
        slices = self._of("EndpointSlice", workload)
        return sorted(s["ports"][0]["port"] for s in slices if s["endpoints"][0]["conditions"]["ready"])

    def wait_ready(self, workload: str, count: int = 1) -> list[int]:
        return eventually(lambda: ports if len(ports := self.ready_ports(workload)) == count else None)

    def wait_message(self, workload: str, part: str) -> Object:
        """The first pod whose status says `part`."""
        return eventually(lambda: next((p for p in self.pods(workload) if part in str(p.get("status"))), None))

    def status(self, workload: str) -> Object:
        found = self.store.get(ObjectKey("Deployment", NAMESPACE, workload))
        return at(found, "status", default={}) if found else {}

    def _of(self, kind: str, workload: str) -> list[Object]:
        return list(self.store.list(kind, namespace=NAMESPACE, labels={labels.WORKLOAD: workload}).items)


def new_runner(root: Path, store: EmbeddedStore) -> Runner:
    return Runner(store, processes(DirectoryImages(root / "images")), root / "run", drain=0.2, backoff=Backoff(0.1, 0.4))


def deployment(
    name: str, command: Sequence[str] | str, *, replicas: int | None = 1, port: int = 8000, image: str = "image@sha256:0",
    env: Sequence[Object] = (), path: str | None = None, note: str = "", metadata: str | None = None, min_ready: int = 0,
) -> Object:  # fmt: skip
    probe: Object = {"httpGet": {"path": path, "port": "http"}} if path else {"tcpSocket": {"port": "http"}}
    annotations = {"note": note} if metadata is None else {"note": note, labels.METADATA: metadata}
    container = {
        "name": "endpoint",
        "image": image,
        "command": ["sh", "-c", command] if isinstance(command, str) else list(command),
        "workingDir": "/valohai/code",
        "env": list(env),
        "ports": [{"name": "http", "containerPort": port}],
        "readinessProbe": probe,
    }
    template = {
        "metadata": {"labels": {labels.WORKLOAD: name}, "annotations": annotations},
        "spec": {"terminationGracePeriodSeconds": 3, "containers": [container]},
    }
    selector = {"matchLabels": {labels.WORKLOAD: name}}
    size = {} if replicas is None else {"replicas": replicas}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {labels.WORKLOAD: name}},
        "spec": {**size, "minReadySeconds": min_ready, "selector": selector, "template": template},
    }


def get(port: int, path: str = "/") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return str(answer.read().decode())


def eventually(ask: Callable[[], T | None], seconds: float = 60.0) -> T:
    """The first answer that is neither None nor False."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"no answer within {seconds:g} s")
