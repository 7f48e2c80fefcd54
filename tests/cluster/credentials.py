"""Who may do what in a test cluster: a certificate authority, two static tokens, and kubeconfigs."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
from pathlib import Path

from tests.cluster.layout import NODE_NAME, Layout

_FIRST_SERVICE = "10.96.0.1"


def write(layout: Layout) -> None:
    """Keys, certificates, tokens, and the kubeconfigs of the administrator and of the node."""
    layout.pki.mkdir(parents=True, exist_ok=True)
    pki = layout.pki
    _openssl(pki, "genrsa", "-out", "sa.key", "2048")
    _openssl(
        pki, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-subj", "/CN=test-ca", "-out", "ca.crt"
    )
    addresses = f"IP:127.0.0.1,IP:{layout.node},IP:{_FIRST_SERVICE},DNS:localhost,DNS:kubernetes.default.svc"
    _certify(pki, "api", "/CN=kube-apiserver", f"subjectAltName={addresses}")
    _certify(pki, "front", "/CN=front-proxy")
    # Without it the kubelet answers the API server's requests for logs and exec with Unauthorized.
    _certify(pki, "kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client")
    admin, node = secrets.token_hex(16), secrets.token_hex(16)
    tokens = f'{admin},admin,admin,"system:masters"\n{node},system:node:{NODE_NAME},{NODE_NAME},"system:nodes"\n'
    _write_private(pki / "tokens.csv", tokens)
    authority = (pki / "ca.crt").read_bytes()
    write_kubeconfig(layout.node_account, layout.api, authority, node)
    write_kubeconfig(layout.admin, layout.api, authority, admin, name=f"test-{layout.index}")


def write_kubeconfig(file: Path, server: str, authority: bytes, token: str, *, name: str = "test") -> None:
    """A kubeconfig of one cluster, one user with a token, and the context `name`."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    _write_private(file, json.dumps(document, indent=2) + "\n")


def _certify(pki: Path, name: str, subject: str, extension: str = "") -> None:
    _openssl(pki, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
    signed = ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"]
    if extension:
        (pki / f"{name}.ext").write_text(extension)
        signed += ["-extfile", f"{name}.ext"]
    _openssl(pki, *signed, "-out", f"{name}.crt")


def _openssl(pki: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=pki, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"openssl {arguments[0]}: {done.stderr.strip()}")


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
