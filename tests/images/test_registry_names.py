"""Names of images, registries and logins: read as Docker reads them, and refused before any request."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.images.registry.auth import parse_docker_config
from controller.images.registry.reference import Location, Reference, default_location, parse_location, parse_reference
from controller.images.registry.tokens import Challenge, parse_challenges
from controller.model.errors import Stalled

pytestmark = pytest.mark.pure

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python", Reference("docker.io", "library/python", "latest")),
        ("python:3.11-slim", Reference("docker.io", "library/python", "3.11-slim")),
        (f"python:3.11@{DIGEST}", Reference("docker.io", "library/python", "3.11", DIGEST)),
        (f"python@{DIGEST}", Reference("docker.io", "library/python", "", DIGEST)),
        ("valohai/yolo:1", Reference("docker.io", "valohai/yolo", "1")),
        ("docker.io/python:3", Reference("docker.io", "library/python", "3")),
        ("index.docker.io/library/python:3", Reference("docker.io", "library/python", "3")),
        ("localhost/a:1", Reference("localhost", "a", "1")),
        ("127.0.0.1:5000/a/b__c:1", Reference("127.0.0.1:5000", "a/b__c", "1")),
        ("[::1]:5000/a:1", Reference("[::1]:5000", "a", "1")),
        ("ghcr.io/owner/name", Reference("ghcr.io", "owner/name", "latest")),
    ],
)
def test_image_is_what_docker_takes_it_for(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Python",
        "a..b",
        "a/../b",
        "-a",
        "a-",
        "python:",
        "python:-x",
        f"python:{'x' * 129}",
        "python@sha256:12",
        "python@md5:00",
        "https://example.com/a",
        "ex ample.com/a",
        "user:password@example.com/a",
        "a?b=c",
        "a#b",
        "a\nb",
        "/".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(Stalled):
        parse_reference(text)


@given(st.text(max_size=80))
def test_whatever_is_accepted_is_safe_in_a_url(text: str) -> None:
    try:
        reference = parse_reference(text)
    except Stalled:
        return
    assert not set(reference.repository + reference.name) & set(" ?#%\\@\n") - {"@"}
    assert ".." not in f"{reference.repository}/{reference.tag}".split("/")
    assert "//" not in reference.repository


def test_registries_are_asked_by_https_except_on_this_machine() -> None:
    assert default_location("docker.io") == Location("https", "registry-1.docker.io")
    assert default_location("ghcr.io").url == "https://ghcr.io"
    assert default_location("10.0.0.1:5000").scheme == "https"
    assert [default_location(name).scheme for name in ("localhost:5000", "127.0.0.1:5000")] == ["http", "http"]


def test_location_is_a_url_or_a_name() -> None:
    assert parse_location("http://10.99.1.2:5000/pointsman/") == Location("http", "10.99.1.2:5000", "pointsman")
    assert parse_location("registry.example.com") == Location("https", "registry.example.com")
    assert parse_location("http://r:1/team").below("a/b") == "team/a/b"


@pytest.mark.parametrize(
    "text", ["ftp://r/a", "http://user:secret@r", "http://r/a?b", "http://r/A", "http://", "", "http://r/../a"]
)
def test_what_is_no_location_is_refused(text: str) -> None:
    with pytest.raises(Stalled):
        parse_location(text)


def encoded(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


def test_logins_are_found_under_every_spelling() -> None:
    auths = {
        "https://index.docker.io/v1/": {"auth": encoded("hub:a:b")},
        "ghcr.io": {"username": "name", "password": "pass"},
        "https://old.example.com/v2/": {"auth": encoded("old:x")},
        "token.example.com": {"identitytoken": "refresh"},
        "empty.example.com": {},
    }
    credentials = parse_docker_config(json.dumps({"auths": auths}), "config.json")
    hub = credentials.login("docker.io")
    assert hub is not None
    assert (hub.user, hub.password.reveal(), hub.origin) == ("hub", "a:b", "config.json")
    assert credentials.login("ghcr.io").user == "name"  # type: ignore[union-attr]
    assert credentials.login("old.example.com").user == "old"  # type: ignore[union-attr]
    identity = credentials.login("token.example.com").identity  # type: ignore[union-attr]
    assert identity is not None
    assert identity.reveal() == "refresh"
    assert credentials.login("empty.example.com") is None
    assert credentials.login("elsewhere.example.com") is None
    assert "refresh" not in repr(credentials)
    assert "a:b" not in repr(hub)


def test_helper_of_a_registry_goes_before_the_general_store() -> None:
    asked = []

    def run(name: str, registry: str) -> str:
        asked.append((name, registry))
        return json.dumps({"Username": "<token>" if name == "ecr" else "u", "Secret": "s"}) if name != "none" else ""

    document = {"credHelpers": {"ecr.example.com": "ecr", "none.example.com": "none"}, "credsStore": "desktop"}
    credentials = parse_docker_config(json.dumps(document), "config.json", run)
    ecr, hub = credentials.login("ecr.example.com"), credentials.login("docker.io")
    assert ecr is not None
    assert hub is not None
    assert ecr.identity is not None
    assert hub.user == "u"
    assert credentials.login("none.example.com") is None
    assert asked == [
        ("ecr", "ecr.example.com"),
        ("desktop", "https://index.docker.io/v1/"),
        ("none", "none.example.com"),
    ]


@pytest.mark.parametrize("name", ["../../bin/sh", "a b", "-x", "a;b"])
def test_helper_s_name_cannot_be_a_path(name: str) -> None:
    credentials = parse_docker_config(json.dumps({"credsStore": name}), "config.json", lambda *_: "{}")
    with pytest.raises(Stalled, match="no name of a program"):
        credentials.login("ghcr.io")


@pytest.mark.parametrize("text", ["", "[]", "hunter2", '{"auths": {"ghcr.io": {"auth": "hunter2!"}}}'])
def test_broken_configuration_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(Stalled) as caught:
        parse_docker_config(text, "config.json").login("ghcr.io")
    assert "hunter2" not in str(caught.value) + (caught.value.hint or "")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Negotiate", []),
        ('Basic realm="a, b"', [Challenge("basic", {"realm": "a, b"})]),
        (
            'Bearer realm="https://a/token",service="r",scope="repository:a:pull,push repository:b:pull"',
            [
                Challenge(
                    "bearer",
                    {"realm": "https://a/token", "service": "r", "scope": "repository:a:pull,push repository:b:pull"},
                )
            ],
        ),
        (
            'bearer Realm="https://a", error="x", Basic realm="b"',
            [Challenge("bearer", {"realm": "https://a", "error": "x"}), Challenge("basic", {"realm": "b"})],
        ),
    ],
)
def test_challenges_are_read(header: str, expected: list[Challenge]) -> None:
    assert parse_challenges(header) == expected
