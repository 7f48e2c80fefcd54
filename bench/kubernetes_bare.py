"""The other side of `bench.kubernetes`: a client that makes the same server-side applies and does nothing else.

Each connection is urllib3's with a thread of its own; each body is made by `json.dumps` when it is sent.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import urllib3
import yaml

from bench.kubernetes_target import kubernetes_profile
from bench.usage import peak_memory, processor_seconds
from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from controller.cluster.paths import object_path
from controller.loading.loader import load
from controller.model.changes import Change, Operation
from controller.model.desired import DesiredState, TargetProfile
from controller.model.objects import Object, key_of
from controller.model.observed import ObservedState
from controller.model.record import UnitRecord
from controller.plan.planner import plan
from controller.render.images import image_spec
from controller.render.renderer import render
from controller.source.local import WorkingDirectory
from tests.engine.replicas import BuiltImages

_QUERY = "?fieldManager=pointsman&force=true&fieldValidation=Strict"
_APPLY = "application/apply-patch+yaml"


class Declared:
    """The objects that a repository's units should have at its newest commit, as the controller's plans would send them."""

    def __init__(self, repository: Path, state: Path, profile: TargetProfile) -> None:
        self._source = WorkingDirectory(repository, state=state, committed=True)
        self._profile = profile

    def close(self) -> None:
        self._source.close()

    def changes(self, observed: Sequence[Object] = ()) -> list[Change]:
        """What makes `observed` as declared; the namespace first."""
        objects = {key_of(obj): obj for obj in observed}
        found = [change for state in self._desired() for change in _planned(state, ObservedState(objects))]
        return sorted({change.key: change for change in found}.values(), key=lambda change: change.key.kind != "Namespace")

    def _desired(self) -> Iterator[DesiredState]:
        self._source.token()
        snapshot = self._source.snapshot()
        declared, images = load(snapshot), {}
        for deployment in declared.deployments.values():
            for served in deployment.versions.values():
                for endpoint in served.version.endpoints:
                    spec = image_spec(declared, served.version, endpoint, self._profile)
                    images[spec.key] = BuiltImages().find(spec)
        return (render(declared, name, self._profile, images, snapshot=snapshot) for name in declared.deployments)


def _planned(desired: DesiredState, observed: ObservedState) -> tuple[Change, ...]:
    return plan(desired, observed, UnitRecord(desired.unit, resource_version="1"), time.time()).changes


class Bare:
    """Sends objects over so many connections at once, the next when the last was answered."""

    def __init__(self, kubeconfig: Path, connections: int) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._server = urllib3.util.parse_url(cluster["server"])
        authority = kubeconfig.with_suffix(".crt")
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self._authority = str(authority)
        self._headers = {"Authorization": f"Bearer {user['token']}", "Accept": "application/json", "Content-Type": _APPLY}
        self._pools = [self._pool() for _ in range(connections)]

    def apply(self, objects: Sequence[Object]) -> None:
        self._share([("PATCH", object_path(key_of(obj)) + _QUERY, obj) for obj in objects])

    def delete(self, objects: Sequence[Object]) -> None:
        self._share([("DELETE", object_path(key_of(obj)), {"propagationPolicy": "Background"}) for obj in objects])

    def _share(self, requests: Sequence[tuple[str, str, Any]]) -> None:
        number = len(self._pools)
        threads = [threading.Thread(target=self._send, args=(pool, requests[n::number])) for n, pool in enumerate(self._pools)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, pool: urllib3.HTTPSConnectionPool, requests: Sequence[tuple[str, str, Any]]) -> None:
        for method, path, body in requests:
            kind = {"Content-Type": "application/json"} if method == "DELETE" else {}
            headers = {**self._headers, **kind}
            answer = pool.urlopen(method, path, body=json.dumps(body, default=dict).encode(), headers=headers)
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:500]!r}")
            json.loads(answer.data)

    def _pool(self) -> urllib3.HTTPSConnectionPool:
        assert self._server.host
        return urllib3.HTTPSConnectionPool(self._server.host, self._server.port, maxsize=1, ca_certs=self._authority)


class Measured:
    """Keeps what it created, so that it can send it again."""

    def __init__(self, bare: Bare, declared: Declared) -> None:
        self._bare = bare
        self._declared = declared
        self._objects: list[Object] = []

    def answer(self, send: str) -> dict[str, float]:
        if send == "updated":
            changes = self._declared.changes(self._objects)
            objects = [change.desired or {} for change in changes if change.operation is Operation.UPDATE]
        else:
            self._objects = self._objects or [change.desired or {} for change in self._declared.changes()]
            objects = self._objects
        started, cpu = time.perf_counter(), processor_seconds()
        if send == "deleted":
            self._bare.delete([obj for obj in objects if obj["kind"] != "Namespace"])
        else:
            if objects[0]["kind"] == "Namespace":
                self._bare.apply(objects[:1])
                objects = objects[1:]
            self._bare.apply(objects)
        return {"seconds": time.perf_counter() - started, "cpu": processor_seconds() - cpu, "memory": peak_memory()}


def main(settings: dict[str, Any]) -> None:
    kubeconfig = Path(settings["kubeconfig"])
    with KubernetesClient(connect(kubeconfig=kubeconfig)) as client:
        profile = kubernetes_profile(client)
    declared = Declared(Path(settings["repository"]), Path(settings["state"]), profile)
    try:
        measured = Measured(Bare(kubeconfig, settings["connections"]), declared)
        for line in sys.stdin:
            print(json.dumps(measured.answer(**json.loads(line))), flush=True)
    finally:
        declared.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
