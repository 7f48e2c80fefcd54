"""`valohai-metadata.json`: what an endpoint can read about itself, with Valohai's keys."""

from __future__ import annotations

import json
from typing import Any

from controller.model import labels
from controller.model.declared import DeclaredFile, FileContent, Version, VersionEndpoint
from controller.model.identity import UnitKey
from controller.model.images import CODE_DIRECTORY

FILE = "valohai-metadata.json"
VOLUME = "valohai-metadata"


def metadata_text(unit: UnitKey, version: Version, endpoint: VersionEndpoint) -> str:
    """The file's text. It holds nothing that differs from revision to revision, so a release restarts no other pod.

    A version that git does not hold has no commit, so that is empty until then; addresses of files may hold signatures,
    so only their digests are told.
    """
    definition = endpoint.definition
    content: dict[str, Any] = {
        "deployment": {"name": unit.deployment},
        "endpoint": {
            "files": [_file(file, endpoint.files[file.name]) for file in definition.files if file.name in endpoint.files],
            "image": endpoint.base,
            "name": definition.name,
        },
        "meta": {"source": "pointsman"},
        "project": {"name": unit.project, "owner": unit.owner},
        "version": {"commit": version.commit if version.committed else "", "name": version.name},
    }
    return json.dumps(content, sort_keys=True, ensure_ascii=False)


def volume() -> dict[str, Any]:
    """The template's annotation as a file: no ConfigMap to keep in step."""
    field = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{labels.METADATA}']"}
    return {"name": VOLUME, "downwardAPI": {"items": [{"fieldRef": field, "path": FILE}]}}


def mount() -> dict[str, Any]:
    """Read-only, in the code directory, which itself stays writable."""
    return {"mountPath": f"{CODE_DIRECTORY}/{FILE}", "name": VOLUME, "readOnly": True, "subPath": FILE}


def _file(file: DeclaredFile, content: FileContent) -> dict[str, str]:
    digest = {"sha256": content.sha256} if content.sha256 else {"blob": content.blob or ""}
    return {"name": file.name, "path": file.path, **digest}
