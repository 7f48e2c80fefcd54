from __future__ import annotations

import base64
import hashlib

import pytest

from controller.embedded.gateway.apr1 import apr1
from controller.model.secret import Secret
from tests.embedded.gateway import cluster

pytestmark = pytest.mark.system
PATH = "/ruksi/mnist/americas/production/predict"
SHA = "{SHA}" + base64.b64encode(hashlib.sha1(b"token").digest()).decode()


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def protected(store, secrets, serve):
    serve("one")
    secrets.set("predictors", ".htpasswd", Secret(f"# users\nann:{SHA}\nbob:{apr1(b'other', b'saltsalt')}\nplain:word\n"))
    store.apply(cluster.route(PATH, "one", filters=(cluster.basic_auth("predictors"),)))


def test_apr1_is_what_htpasswd_writes():
    # `openssl passwd -apr1 -salt <salt> <password>`
    assert apr1(b"myPassword", b"r31.....") == "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"


@pytest.mark.parametrize(("user", "password"), [("ann", "token"), ("bob", "other"), ("pointsman-probe", "probe-token")])
def test_users_and_the_probe_come_in_without_the_endpoint_seeing_how(protected, client, user, password):
    found = client.until(PATH, headers=basic(user, password))
    assert "authorization" not in {name.lower() for name, _ in found.json["headers"]}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ann", "wrong"),
        basic("nobody", "token"),
        basic("plain", "word"),
        basic("pointsman-probe", ""),
        basic("ann", "x" * 5000),
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer token"},
    ],
)
def test_everybody_else_stays_out(protected, client, headers):
    found = client.until(PATH, 401, headers=headers)
    assert found.reason == "Unauthorized"
    assert found.headers["www-authenticate"].startswith("Basic ")


def test_a_secret_that_is_missing_lets_nobody_in(store, secrets, serve, client):
    serve("one")
    store.apply(cluster.route(PATH, "one", filters=(cluster.basic_auth("predictors"),)))
    found = client.until(PATH, 500, headers=basic("pointsman-probe", "probe-token"))
    assert found.reason == "AccessNotConfigured"
    secrets.set("predictors", ".htpasswd", Secret("ann:$2y$05$notsupported"))
    assert b"htpasswd -s" in client.until(PATH, 500, headers={**basic("ann", "x"), "X-Try": "2"}).body
    secrets.set("predictors", ".htpasswd", Secret(f"ann:{SHA}"))
    assert client.until(PATH, headers=basic("ann", "token")).status == 200


def test_an_unknown_extension_is_never_served_open(store, serve, client):
    serve("one")
    other = {"type": "ExtensionRef", "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": "auth"}}
    store.apply(cluster.route(PATH, "one", filters=(other,)))
    assert client.until(PATH, 500).reason == "UnsupportedRoute"
