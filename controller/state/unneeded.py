"""Since when images are seen unneeded: one ConfigMap beside the controller's Lease, written with compare-and-swap.

Losing it makes a clean-up wait longer, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from controller.model.clean_up import Memory, Seen
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey, content_hash
from controller.model.objects import Object, at
from controller.model.ports import ClusterClient

FORMAT = 1
MOST = 900 * 1024
"""Bytes: the API server refuses ConfigMaps above 1 MiB of data."""
_KEY = "unneeded.json"
_MANAGER = "pointsman-clean-up"


class UnneededImages:
    """What one installation remembers of one registry, which is known by the name that pods pull from."""

    def __init__(self, client: ClusterClient, namespace: str, installation: str, registry: str) -> None:
        self._client = client
        self._registry = registry
        name = f"pointsman-images-{content_hash([installation, registry], 10)}"
        self.key = ObjectKey("ConfigMap", namespace, name)
        self._version = ""

    def read(self) -> Memory:
        """What is remembered; nothing where there is no memory yet. Raises Stalled for one that cannot be read."""
        found = self._client.get(self.key)
        self._version = found["metadata"]["resourceVersion"] if found else ""
        return _parsed(self.key, found) if found else {}

    def write(self, memory: Memory) -> None:
        """Replace what was read last. Raises Conflict where somebody else wrote in between."""
        stored = self._client.apply(self._object(memory), manager=_MANAGER)
        self._version = stored["metadata"]["resourceVersion"]

    def _object(self, memory: Memory) -> Object:
        meta: dict[str, Any] = {
            "name": self.key.name,
            "namespace": self.key.namespace,
            "resourceVersion": self._version,
        }
        text = _fitting(self._registry, memory)
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {_KEY: text}}


def _fitting(registry: str, memory: Memory) -> str:
    """What does not fit is left out, the newest first: it is seen again later, and waits so much longer."""
    entries = sorted((seen.since, project, tag, seen.name) for project, tags in memory.items() for tag, seen in tags.items())
    while len(text := _text(registry, entries)) > MOST:
        entries = entries[: len(entries) * MOST // len(text)]
    return text


def _text(registry: str, entries: list[tuple[float, str, str, str]]) -> str:
    projects: dict[str, dict[str, list[float | str]]] = {}
    for since, project, tag, name in entries:
        projects.setdefault(project, {})[tag] = [since, name]
    document = {"format": FORMAT, "registry": registry, "projects": projects}
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _parsed(key: ObjectKey, found: Object) -> dict[str, dict[str, Seen]]:
    try:
        document = json.loads(at(found, "data", _KEY, default=""))
        if document["format"] != FORMAT:
            raise ValueError(f"it has format {document['format']}, this program reads {FORMAT}")
        projects: Mapping[str, Mapping[str, tuple[float, str]]] = document["projects"]
        return {name: {tag: Seen(float(s), str(n)) for tag, (s, n) in tags.items()} for name, tags in projects.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{key}, which says since when images are unneeded, cannot be read: {error}"
        raise Stalled(message, hint="delete it: then every image waits for its whole time again") from error
