"""Somebody with exactly the rights of roles in `manifests/people`, and the commands that they type."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cli.typed import Typed
from tests.cluster import api, credentials

_MANIFESTS = Path(__file__).parents[2] / "manifests" / "people"
_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_LIFE = 7200
_LONGEST = 240.0


@dataclass(frozen=True)
class Person:
    """Sits in a directory and reaches the cluster by a kubeconfig of their own."""

    directory: Path
    home: Path
    kubeconfig: Path
    account: str = ""
    account_namespace: str = ""

    def types(self, *arguments: str, stdin: str = "", **environment: str) -> Typed:
        """`pointsman ...` with `KUBECONFIG` and `--context`, as somebody with many clusters would."""
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), "COLUMNS": "80"}
        context = yaml.safe_load(self.kubeconfig.read_text())["current-context"]
        done = subprocess.run(
            [sys.executable, "-m", "controller", *arguments],
            cwd=self.directory,
            env={**kept, "POINTSMAN_CONTEXT": context, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
        return Typed(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def bound(self, role: str, admin: Path, namespace: str) -> Iterator[None]:
        """With a shipped role in one namespace alone."""
        name = f"{role}-{self.account}"
        rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        with api.opened(admin) as cluster, ExitStack() as opened:
            meta = {"name": name, "namespace": namespace}
            opened.callback(cluster.delete, f"{rights}/roles/{name}")
            cluster.apply({**_shipped(role), "kind": "Role", "metadata": meta})
            binding = _binding(name, self.account_namespace, self.account)
            opened.callback(cluster.delete, f"{rights}/rolebindings/{name}")
            role_ref = {**binding["roleRef"], "kind": "Role"}
            cluster.apply({**binding, "kind": "RoleBinding", "metadata": meta, "roleRef": role_ref})
            yield


@contextmanager
def somebody(admin: Path, namespace: str, roles: Sequence[str], directory: Path, place: Path) -> Iterator[Person]:
    """An account in `namespace` with these shipped roles, cluster-wide under names of its own; removed afterwards."""
    account = f"person-{secrets.token_hex(4)}"
    with api.opened(admin) as cluster, ExitStack() as opened:
        cluster.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
        for role in roles:
            name = f"{role}-{account}-{namespace}"
            opened.callback(cluster.delete, f"{_ROLES}/{name}")
            cluster.apply({**_shipped(role), "metadata": {"name": name}})
            opened.callback(cluster.delete, f"{_BINDINGS}/{name}")
            cluster.apply(_binding(name, namespace, account))
        asked = {"spec": {"expirationSeconds": _LIFE}}
        answer = cluster.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", asked)
        home = directory / account
        home.mkdir()
        yield Person(place, home, _kubeconfig(admin, answer["status"]["token"], home), account, namespace)


def _shipped(role: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((_MANIFESTS / f"{role.removeprefix('pointsman-')}.yaml").read_text())
    assert document["metadata"]["name"] == role
    return document


def _binding(name: str, namespace: str, account: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }


def _kubeconfig(admin: Path, token: str, home: Path) -> Path:
    file = home / "kubeconfig"
    entry = yaml.safe_load(admin.read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(entry["certificate-authority-data"])
    credentials.write_kubeconfig(file, entry["server"], authority, token)
    return file
