"""The objects that belong to a whole unit or project, not to one workload."""

from __future__ import annotations

from typing import Any

from controller.model import labels
from controller.model.objects import API_VERSIONS
from controller.render.names import service_account_name
from controller.render.scope import Scope
from controller.render.security import namespace_labels


def namespace(scope: Scope) -> dict[str, Any]:
    """The project's namespace: the same object for each of its units, so it names none of them."""
    metadata = {
        "name": scope.namespace,
        "labels": {labels.MANAGED_BY: labels.FIELD_MANAGER, **namespace_labels(scope.target.security)},
        "annotations": {labels.INSTALLATION: scope.target.installation},
    }
    return {"apiVersion": API_VERSIONS["Namespace"], "kind": "Namespace", "metadata": metadata}


def service_account(scope: Scope) -> dict[str, Any]:
    """An identity without rights or token, so that no pod runs under the namespace's default one.

    It brings the Secrets that images are pulled with: another one there restarts nothing.
    """
    body: dict[str, Any] = {"automountServiceAccountToken": False}
    if scope.target.pull_secrets:
        body["imagePullSecrets"] = [{"name": name} for name in scope.target.pull_secrets]
    return scope.object("ServiceAccount", service_account_name(scope.unit), body)
