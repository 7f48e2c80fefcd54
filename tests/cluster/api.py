"""As much of a client as bringing a cluster up needs; the one under test is `controller.cluster`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client, config


class Api:
    """Raw JSON over what the official package makes of a kubeconfig."""

    def __init__(self, connection: client.ApiClient) -> None:
        self._connection = connection
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
        """The status and the parsed answer; connection errors are `urllib3`'s own."""
        asked = self._connection.param_serialize(
            method, path, header_params={"Accept": "application/json"}, body=body, auth_settings=["BearerToken"]
        )
        asked[2]["Content-Type"] = kind
        answer = self._connection.call_api(*asked, _request_timeout=120)
        data = answer.read()
        return answer.status, _parsed(data)

    def get(self, path: str) -> Any:
        return self._checked("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._checked("POST", path, body)

    def delete(self, path: str) -> None:
        self.ask("DELETE", path)

    def apply(self, obj: Mapping[str, Any]) -> Any:
        """Server-side apply."""
        plural, namespaced = self._resource(obj["apiVersion"], obj["kind"])
        meta = obj["metadata"]
        within = f"namespaces/{meta.get('namespace', 'default')}/" if namespaced else ""
        path = f"{_group(obj['apiVersion'])}/{within}{plural}/{meta['name']}?fieldManager=testbed&force=true"
        return self._checked("PATCH", path, obj, "application/apply-patch+yaml")

    def _resource(self, version: str, kind: str) -> tuple[str, bool]:
        if (version, kind) not in self._paths:
            for known in self.get(_group(version))["resources"]:
                if "/" not in known["name"]:
                    self._paths[version, known["kind"]] = (known["name"], known["namespaced"])
        return self._paths[version, kind]

    def _checked(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        status, answer = self.ask(method, path, body, kind)
        if status >= 300:
            raise OSError(f"{method} {path}: {status} {answer.get('message', '') if isinstance(answer, dict) else answer}")
        return answer


@contextmanager
def opened(kubeconfig: Path) -> Iterator[Api]:
    with config.new_client_from_config(str(kubeconfig)) as connection:
        yield Api(connection)


def _group(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
