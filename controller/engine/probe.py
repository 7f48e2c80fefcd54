"""The password with which golden requests pass guarded routes: one random Secret per target, made once."""

from __future__ import annotations

import base64
import binascii
import secrets

from controller.engine.secrets import PROBE_USER
from controller.model import labels
from controller.model.errors import Conflict, Stalled
from controller.model.identity import ObjectKey
from controller.model.objects import Object, at
from controller.model.ports import ClusterClient
from controller.model.secret import Secret

_KEY = "password"
_BYTES = 32


def probe_password(client: ClusterClient, namespace: str) -> Secret:
    """The target's probe password from the Secret `pointsman-probe` in the controller's own namespace; made if missing.

    Two controllers that begin at once agree: only one of them creates it. Raises Stalled for a Secret without it.
    """
    key = ObjectKey("Secret", namespace, PROBE_USER)
    found = client.get(key)
    if found is None:
        try:
            found = client.apply(_fresh(key))
        except Conflict:
            found = client.get(key)
    return _password(key, found)


def _fresh(key: ObjectKey) -> Object:
    meta = {
        "name": key.name,
        "namespace": key.namespace,
        "labels": {labels.MANAGED_BY: "pointsman"},
        "resourceVersion": "",
    }
    data = {_KEY: base64.b64encode(secrets.token_urlsafe(_BYTES).encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": data}


def _password(key: ObjectKey, found: Object | None) -> Secret:
    try:
        text = base64.b64decode(at(found or {}, "data", _KEY, default=""), validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text:
        raise Stalled(f"{key} has no `{_KEY}`", hint="delete it: a new one is made at the next start")
    return Secret(text)
