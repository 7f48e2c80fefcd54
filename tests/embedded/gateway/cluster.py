"""Objects as Pointsman and the runtime write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.model import labels
from controller.model.objects import API_VERSIONS
from controller.model.routes import with_backend

NAMESPACE = "ruksi-mnist-abc123"


def service(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return _object("Service", name, spec={"selector": {labels.WORKLOAD: name}, "ports": ports})


def deployment(name: str, replicas: int) -> dict[str, Any]:
    return _object("Deployment", name, spec={"replicas": replicas})


def endpoint_slice(name: str, port: int, index: int = 0, *, ready: bool = True, terminating: bool = False) -> dict[str, Any]:
    conditions = {"ready": ready, "serving": ready or terminating, "terminating": terminating}
    made = _object("EndpointSlice", f"{name}-{index}", marks={labels.SERVICE_NAME: name, labels.WORKLOAD: name})
    endpoints = [{"addresses": ["127.0.0.1"], "conditions": conditions}]
    return {**made, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": port}]}


def route(
    path: str,
    backend: str,
    *,
    version: str = "20181002.0",
    alias: str | None = None,
    timeout: str | None = "60s",
    filters: tuple[Mapping[str, Any], ...] = (),
    name: str | None = None,
) -> dict[str, Any]:
    prefix = [{"name": "X-VH-Prefix", "value": path}, {"name": "X-Forwarded-Prefix", "value": path}]
    rule: dict[str, Any] = {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "filters": [*filters, {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": prefix}}],
    }
    if timeout:
        rule["timeouts"] = {"request": timeout}
    notes = {labels.PATH: path, labels.ENDPOINT: path.rpartition("/")[2], labels.UNIT_NAME: "/".join(path.split("/")[1:4])}
    if alias:
        notes[labels.ALIAS] = alias
    made = _object("HTTPRoute", name or path.strip("/").replace("/", "-").replace(".", "-"), notes=notes)
    template = {**made, "spec": {"parentRefs": [{"name": "pointsman", "namespace": "default"}], "rules": [rule]}}
    return with_backend(template, backend, version)


def basic_auth(secret: str) -> dict[str, Any]:
    return {"type": "ExtensionRef", "extensionRef": {"group": "pointsman.dev", "kind": "BasicAuth", "name": secret}}


def _object(kind: str, name: str, *, spec: Any = None, marks: Any = None, notes: Any = None) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "namespace": NAMESPACE}
    meta |= {"labels": marks} if marks else {}
    meta |= {"annotations": notes} if notes else {}
    made = {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": meta}
    return {**made, "spec": spec} if spec is not None else made
