"""A Kubernetes cluster as a `ClusterClient`: plain JSON over the `kubernetes` package's connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from controller.cluster.connection import Connection
from controller.cluster.creation import create_only, is_only_ours
from controller.cluster.errors import is_absent, status_of
from controller.cluster.exchange import Answer, Exchange, Request
from controller.cluster.paths import api_version, collection_path, object_path
from controller.cluster.rate import RateLimit
from controller.cluster.watch import Watches
from controller.model.errors import Conflict, Stalled, Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import Object, key_of
from controller.model.ports import Labels, Listing, WatchEvent

PAGE = 500
_RESTARTS = 3
_DELETE = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
_CREATED = 201
_MISSING, _CONFLICT, _EXPIRED = 404, 409, 410


class KubernetesClient:
    """Safe for many threads. `qps` and `burst` limit the requests to this cluster; open watches do not count."""

    def __init__(self, connection: Connection, *, qps: float = 100.0, burst: int = 200) -> None:
        self.exchange = Exchange(connection, RateLimit(qps, burst))
        self.watches = Watches(self.exchange)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End every watch and wait at once, and close the connections. Calls after this raise `Unavailable`."""
        self.exchange.close()
        self.watches.close()
        self.exchange.connection.close()

    def get(self, key: ObjectKey) -> Object | None:
        request = Request("GET", object_path(key), "get", key.kind, str(key))
        answer = self.exchange.ask(request)
        if answer.code == _MISSING and is_absent(status_of(answer.body), key.name):
            return None
        return self._object(request, answer)

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        for _ in range(_RESTARTS):
            listing = self._pages(kind, namespace, labels)
            if listing is not None:
                return listing
        raise Unavailable(f"{kind} could not be listed whole: the server forgot its place {_RESTARTS} times")

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        key, version = self._key(obj), obj["metadata"].get("resourceVersion")
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        body = _encode(create_only(obj) if version == "" else obj)
        request = Request("PATCH", object_path(key), "patch", key.kind, str(key), query, body)
        answer = self.exchange.ask(request)
        if version == "" and answer.code == _CONFLICT:
            return self._lost_or_there(answer, key, obj, manager)
        stored = self._object(request, answer)
        if version and answer.code == _CREATED:
            self._take_back(key, stored, dry_run)
        return stored

    def delete(self, key: ObjectKey, *, uid: str | None = None, resource_version: str | None = None) -> None:
        preconditions = {"uid": uid, "resourceVersion": resource_version}  # null counts as not given
        body = _encode({**_DELETE, "preconditions": preconditions})
        request = Request("DELETE", object_path(key), "delete", key.kind, str(key), None, body)
        answer = self.exchange.ask(request)
        if answer.code >= 300 and not (answer.code == _MISSING and is_absent(status_of(answer.body), key.name)):
            raise self.exchange.refused(request, answer)

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        return self.watches.follow(kind, resource_version, selector(labels), timeout)

    def _pages(self, kind: str, namespace: str | None, labels: Labels | None) -> Listing | None:
        """All pages of one moment, or None when the server no longer knows that moment."""
        items: list[Object] = []
        query = {"limit": str(PAGE), **({"labelSelector": selector(labels)} if labels else {})}
        while True:
            request = Request("GET", collection_path(kind, namespace), "list", kind, _collection(kind, namespace), query)
            answer = self.exchange.ask(request)
            if answer.code == _EXPIRED and "continue" in query:
                return None
            page = self._object(request, answer)
            if "items" not in page:
                raise Unavailable(f"{self.exchange.connection.server} answered {request.what} with something else than a list")
            identity = {"apiVersion": api_version(kind), "kind": kind}
            items += [{**identity, **item} for item in page["items"] or ()]
            if not page["metadata"].get("continue"):
                return Listing(tuple(items), page["metadata"]["resourceVersion"])
            query = {**query, "continue": page["metadata"]["continue"]}

    def _lost_or_there(self, answer: Answer, key: ObjectKey, sent: Object, manager: str) -> Object:
        if answer.repeated:
            found = self.get(key)
            if found is not None and is_only_ours(found, sent, manager):
                return found
        raise Conflict(f"{key} is there already, expected it absent", hint="read it")

    def _take_back(self, key: ObjectKey, stored: Object, dry_run: bool) -> None:
        """A version was expected of an object that is gone; the server made another one."""
        if not dry_run:
            self.delete(key, uid=stored["metadata"]["uid"])
        raise Conflict(f"{key} is not there, expected it at an earlier version", hint="read it again")

    def _object(self, request: Request, answer: Answer) -> dict[str, Any]:
        if answer.code >= 300:
            raise self.exchange.refused(request, answer)
        try:
            found: dict[str, Any] = json.loads(answer.body)
        except ValueError as error:
            raise Unavailable(f"{self.exchange.connection.server} answered {request.what} with no JSON") from error
        return found

    @staticmethod
    def _key(obj: Object) -> ObjectKey:
        expected = api_version(str(obj.get("kind")))
        if obj.get("apiVersion") != expected:
            raise Stalled(f"{obj['kind']} has apiVersion {expected}, not {obj.get('apiVersion')!r}")
        return key_of(obj)


def selector(labels: Labels | None) -> str:
    """Objects that have all of these labels."""
    return ",".join(f"{name}={value}" for name, value in sorted((labels or {}).items()))


def _collection(kind: str, namespace: str | None) -> str:
    return f"{kind}s in {namespace}" if namespace else f"all {kind}s"


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=dict).encode()
