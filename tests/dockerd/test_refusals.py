from __future__ import annotations

import pytest

from controller.dockerd.refusals import refusal
from controller.model.errors import Conflict, Forbidden, PointsmanError, Stalled, Unavailable
from controller.model.errors import Transient as Passing

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", Passing, "docker system prune"),
        ("toomanyrequests: You have reached your pull rate limit.", Passing, "docker login"),
        ("received unexpected HTTP status: 429 Too Many Requests", Passing, "mirror"),
        ('Get "https://10.0.0.5:5000/v2/": http: server gave HTTP response to HTTPS client', Stalled, "insecure-registries"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", Stalled, "certs.d"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", Stalled, "platform"),
        ("pull access denied for me/private, repository does not exist or may require 'docker login'", Stalled, "name"),
        ("denied: requested access to the resource is denied", Forbidden, "docker login"),
        ("unauthorized: authentication required", Forbidden, "docker login"),
        ("manifest for python:3.99 not found: manifest unknown: manifest unknown", Stalled, "name"),
        ("dial tcp 127.0.0.1:1: connect: connection refused", Unavailable, "reaches the registry"),
        ("dial tcp 10.0.0.5:443: connection refused, pushing acme/certificate-reader", Unavailable, "reaches the registry"),
        ("remote error: tls: bad certificate", Stalled, "certs.d"),
        ("net/http: request canceled while waiting for connection (Client.Timeout exceeded)", Unavailable, "registry"),
        ("Error processing tar file(exit status 1): archive/tar: invalid tar header", Stalled, "newer Docker Engine"),
        ("client version 1.24 is too old. Minimum supported API version is 1.44", Stalled, "20.10"),
    ],
)
def test_what_an_engine_says_becomes_an_error_with_the_next_step(said: str, kind: type[PointsmanError], hint: str) -> None:
    found = refusal(said, "pull the base image python:3.99", 500)
    assert type(found) is kind
    assert found.message == f"the Docker Engine cannot pull the base image python:3.99: {said}"
    assert hint in (found.hint or "")


@pytest.mark.parametrize(("status", "kind"), [(400, Stalled), (409, Conflict), (500, Unavailable)])
def test_unknown_words_count_by_their_status(status: int, kind: type[PointsmanError]) -> None:
    assert type(refusal("something new", "build the image x", status)) is kind


def test_an_engine_without_words_is_quoted_by_its_status() -> None:
    assert refusal("", "build the image x", 404).message == "the Docker Engine cannot build the image x: status 404"
