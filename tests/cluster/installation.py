"""What `manifests/access` gives a controller, under names of its own: namespace, account, exactly those rights, token."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import api, credentials

_MANIFESTS = Path(__file__).parents[2] / "manifests" / "access"
_SHIPPED_NAMESPACE = "pointsman-system"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_CLUSTER_WIDE = {"ClusterRole": f"{_RBAC}/clusterroles", "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings"}
_RIGHTS = {"ServiceAccount", "Role", "RoleBinding", *_CLUSTER_WIDE}
_LIFE = 7200


@dataclass(frozen=True)
class Installation:
    """Where one controller lives on the cluster, and how it gets in."""

    name: str
    namespace: str
    kubeconfig: Path


@contextmanager
def installed(admin: Path, name: str, directory: Path) -> Iterator[Installation]:
    """Make it as `name` with an administrator's kubeconfig; everything is removed afterwards."""
    with api.opened(admin) as cluster, ExitStack() as opened:
        cluster.post("/api/v1/namespaces", {"metadata": {"name": name}})
        opened.callback(remove_namespace, admin, name)
        account = ""
        for document in _rights(name):
            if document["kind"] in _CLUSTER_WIDE:
                opened.callback(cluster.delete, f"{_CLUSTER_WIDE[document['kind']]}/{document['metadata']['name']}")
            elif document["kind"] == "ServiceAccount":
                account = document["metadata"]["name"]
            cluster.apply(document)
        asked = {"spec": {"expirationSeconds": _LIFE}}
        answer = cluster.post(f"/api/v1/namespaces/{name}/serviceaccounts/{account}/token", asked)
        yield Installation(name, name, _kubeconfig(admin, answer["status"]["token"], directory))


def remove_namespace(admin: Path, name: str) -> None:
    """Remove a namespace without waiting for its pods to end in peace; one that is not there is removed already."""
    with api.opened(admin) as cluster:
        cluster.delete(f"/api/v1/namespaces/{name}")
        cluster.delete(f"/api/v1/namespaces/{name}/pods?gracePeriodSeconds=0")


def _rights(name: str) -> Iterator[dict[str, Any]]:
    """The account and its roles as shipped, in another namespace; what is cluster-wide is named after that."""
    for file in sorted(_MANIFESTS.glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text().replace(_SHIPPED_NAMESPACE, name)):
            if document and document.get("kind") in _RIGHTS:
                yield _renamed(document, name)


def _renamed(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    meta = dict(document["metadata"])
    if document["kind"] in _CLUSTER_WIDE:
        meta["name"] = f"{meta['name']}-{name}"
    else:
        meta["namespace"] = name
    made = {**document, "metadata": meta}
    role = document.get("roleRef", {})
    if role.get("kind") == "ClusterRole":
        made["roleRef"] = {**role, "name": f"{role['name']}-{name}"}
    return made


def _kubeconfig(admin: Path, token: str, directory: Path) -> Path:
    """With the account's token: not an administrator's, so that roles and flow control count for it."""
    file = directory / "controller.kubeconfig"
    entry = yaml.safe_load(admin.read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(entry["certificate-authority-data"])
    credentials.write_kubeconfig(file, entry["server"], authority, token)
    return file
