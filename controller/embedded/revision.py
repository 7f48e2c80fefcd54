"""One write of one object: identity, counters and ownership around the merged body. Pure."""

from __future__ import annotations

import json
from typing import Any

from controller.embedded.ownership import applied, body_of, with_body
from controller.embedded.validation import check_size
from controller.model.errors import Stalled
from controller.model.objects import Object, at, key_of

# The kinds for which an API server counts changes of the specification.
_COUNTED = frozenset({"Deployment", "HTTPRoute", "PodDisruptionBudget", "Pod", "EndpointSlice"})


def next_object(live: Object | None, config: Object, manager: str, *, version: int, now: str, uid: str) -> Object:
    """What `live` becomes when `manager` applies `config`; `live` itself when nothing changes. Raises `Stalled`."""
    body, owners = applied(live, config, manager, now)
    if live is not None and body == body_of(live) and owners == at(live, "metadata", "managedFields", default=[]):
        return live
    start = live if live is not None else _new(config, now, uid)
    server = {**start["metadata"], "resourceVersion": str(version), "managedFields": owners, **_generation(live, config, body)}
    written = with_body({**start, "metadata": server}, body)
    try:
        check_size(key_of(config), len(json.dumps(written)))
    except (TypeError, ValueError) as error:
        raise Stalled(f"{key_of(config)} is not JSON: {error}") from None
    return written


def _new(config: Object, now: str, uid: str) -> dict[str, Any]:
    identity = {name: config["metadata"][name] for name in ("name", "namespace") if name in config["metadata"]}
    metadata = {**identity, "uid": uid, "creationTimestamp": now}
    return {"apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": metadata}


def _generation(live: Object | None, config: Object, body: Object) -> dict[str, int]:
    if config["kind"] not in _COUNTED:
        return {}
    if live is None:
        return {"generation": 1}
    changed = _specification(body) != _specification(body_of(live))
    return {"generation": at(live, "metadata", "generation", default=0) + changed}


def _specification(body: Object) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "metadata"}
