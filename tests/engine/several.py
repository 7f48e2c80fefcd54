"""Several embedded targets with real gateways, and repositories whose deployments name them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.declared_repository import ENVIRONMENT, VALOHAI
from controller.embedded.gateway import Gateway
from controller.engine.controller import Controller
from controller.engine.grants import Granted
from controller.engine.targets import Target
from controller.model.errors import Unavailable
from controller.model.identity import UnitKey
from controller.model.ports import Labels, Listing, WatchEvent
from controller.source.local import WorkingDirectory
from controller.state.history import FileHistory
from tests.embedded.gateway.servers import Endpoint
from tests.engine.counting import CountingStore
from tests.engine.replicas import BuiltImages, Replicas
from tests.engine.settling import PROFILE


class Reachable(CountingStore):
    """A target that can be lost: while `lost` is set, nothing of it can be listed, and no watch begins.

    A watch lasts `patience` seconds at most.
    """

    patience = 290.0

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lost = threading.Event()

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        if self.lost.is_set():
            raise Unavailable("the cluster does not answer")
        yield from super().watch(kind, resource_version, labels=labels, timeout=min(timeout, self.patience))

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        if self.lost.is_set():
            raise Unavailable("the cluster does not answer")
        return super().list(kind, namespace=namespace, labels=labels)


@dataclass
class Several:
    """Targets by name; `controlled` runs a controller over them."""

    directory: Path
    targets: Mapping[str, Target] = field(default_factory=dict)
    stores: Mapping[str, Reachable] = field(default_factory=dict)

    @contextmanager
    def controlled(
        self, sources: Sequence[Granted], names: Sequence[str] | None = None, default: str | None = None
    ) -> Iterator[Controller]:
        """A started controller over the named targets, all by default; stopped at the end, and what runs stays."""
        chosen = [self.targets[name] for name in (names or self.targets)]
        history = FileHistory(self.directory / "history")
        controller = Controller(chosen, sources, history, default=default, interval=0.05, workers=2)
        try:
            controller.start()
            yield controller
        finally:
            controller.stop()

    def records(self, name: str) -> int:
        """How many units have a record on a target."""
        return len(self.stores[name].list("ConfigMap").items)


@contextmanager
def several(directory: Path, *names: str) -> Iterator[Several]:
    """Targets whose replicas are ready at once. Closed at the end, also after a failure."""
    with ExitStack() as opened:
        endpoint = Endpoint("any")
        opened.callback(endpoint.close)
        targets, stores = {}, {}
        for name in names:
            store = opened.enter_context(Reachable(directory / name))
            opened.callback(Replicas(store, endpoint.port).stop)
            gateway = Gateway(store, port=0, probe_token="")
            opened.callback(gateway.stop)
            gateway.start()
            profile = replace(PROFILE, name=name, url=gateway.url)
            targets[name] = Target(profile, store, BuiltImages(), _at(gateway.url))
            stores[name] = store
        yield Several(directory, targets, stores)


class Declared:
    """A repository of project `acme/<name>` whose deployment `americas` serves one version as `production`."""

    def __init__(self, directory: Path, name: str, target: str | None) -> None:
        self.unit = UnitKey("acme", name, "americas")
        self._path = directory
        self._git("init", "--quiet", "--initial-branch=main", "--", str(directory))
        self.commit(
            {
                "valohai.yaml": VALOHAI,
                "serve.py": "print()\n",
                "pointsman/project.yaml": f"format: 1\nowner: acme\nname: {name}\n",
                "pointsman/versions/v1.yaml": "{}\n",
                "pointsman/deployments/americas/aliases/production.yaml": 'version: "v1"\n',
                "pointsman/deployments/americas/deployment.yaml": _deployment(target),
            }
        )

    def move_to(self, target: str) -> None:
        self.commit({"pointsman/deployments/americas/deployment.yaml": _deployment(target)})

    def commit(self, files: Mapping[str, str | None]) -> None:
        """One more commit with these files; None removes one."""
        for name, text in files.items():
            place = self._path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                place.unlink()
            else:
                place.write_text(text)
        self._git("add", "--all")
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        self._git(*who, "commit", "--quiet", "--message", "change")

    @contextmanager
    def source(self, reader: str = "state") -> Iterator[WorkingDirectory]:
        """The repository as one process reads it."""
        found = WorkingDirectory(self._path, state=self._path.with_name(f"{self._path.name}.{reader}"), committed=True)
        try:
            yield found
        finally:
            found.close()

    def _git(self, *arguments: str) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", *arguments], cwd=self._path, env=ENVIRONMENT, check=True)


def _deployment(target: str | None) -> str:
    return f"target: {target}\nendpoints: {{}}\n" if target else "endpoints: {}\n"


def _at(url: str) -> Callable[[], tuple[str, ...]]:
    return lambda: (url,)
