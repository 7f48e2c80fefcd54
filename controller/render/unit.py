"""The objects that belong to a whole unit or project, not to one workload."""

from __future__ import annotations

from typing import Any

from controller.model import labels
from controller.model.objects import API_VERSIONS
from controller.render.names import service_account_name
from controller.render.scope import Scope
from controller.render.security import POD_SECURITY


def namespace(scope: Scope) -> dict[str, Any]:
    """The project's namespace: the same object for each of its units, so it names none of them."""
    metadata = {
        "name": scope.namespace,
        "labels": {labels.MANAGED_BY: labels.FIELD_MANAGER, **POD_SECURITY},
        "annotations": {labels.INSTALLATION: scope.target.installation},
    }
    return {"apiVersion": API_VERSIONS["Namespace"], "kind": "Namespace", "metadata": metadata}


def service_account(scope: Scope) -> dict[str, Any]:
    """An identity without rights or token, so that no pod runs under the namespace's default one."""
    return scope.object("ServiceAccount", service_account_name(scope.unit), {"automountServiceAccountToken": False})
