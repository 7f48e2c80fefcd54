"""Registries that want to know who pushes: tokens for exactly what is done, renewed in time, and refusals with a name."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from base_images import push_base
from faulty_proxy import Fault, running_proxy
from image_examples import CODE, silent
from registry_images import PROJECT, builder_for, spec_for
from registry_server import Registry, running_registry
from token_server import LOGIN, TokenServer, running_token_server

from controller.images.registry.auth import Credentials, parse_docker_config
from controller.model.errors import Forbidden, Stalled

pytestmark = pytest.mark.contract

PASSWORDS = "builder:$2b$05$Q3C179KvN4EZ3ZX9W9OlTOEAl61HhQI38EYcBgNOCfS.DQGCgX4Bm\n"
"""What `htpasswd -nbB -C 5 builder secret` prints."""


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    with running_token_server(tmp_path) as running:
        running.granted = {"library/python", PROJECT, "pointsman/bases"}
        yield running


@pytest.fixture
def guarded(tmp_path: Path, tokens: TokenServer) -> Iterator[Registry]:
    """A registry with a base that was pushed before it was guarded."""
    with running_registry(tmp_path / "registry") as open_to_all:
        push_base(open_to_all.url)
    with running_registry(tmp_path / "registry", tokens.registry_options) as running:
        yield running


def credentials_for(registry: Registry, login: str = LOGIN) -> Credentials:
    auth = base64.b64encode(login.encode()).decode()
    return parse_docker_config(json.dumps({"auths": {registry.address: {"auth": auth}}}), "config.json")


def test_image_is_pushed_with_tokens(guarded: Registry, tokens: TokenServer, tmp_path: Path) -> None:
    with builder_for(guarded, tmp_path / "cache", credentials=credentials_for(guarded)) as builder:
        image = builder.build(spec_for(guarded), CODE, silent)
        assert builder.find(spec_for(guarded)) == image
    mount = [scopes for scopes in tokens.asked if len(scopes) > 1]
    assert [sorted(scopes) for scopes in mount] == [["repository:library/python:pull", f"repository:{PROJECT}:pull,push"]]
    assert len(tokens.asked) <= 5, "one per scope"


def test_token_that_is_about_to_end_is_renewed_before_it_is_used(
    guarded: Registry, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.lifetime = 1
    with builder_for(guarded, tmp_path / "cache", credentials=credentials_for(guarded)) as builder:
        for port in range(8000, 8004):
            assert builder.build(spec_for(guarded, port=port), CODE, silent)


def test_base_that_the_login_may_not_read_is_named(guarded: Registry, tokens: TokenServer, tmp_path: Path) -> None:
    tokens.granted.remove("library/python")
    builder = builder_for(guarded, tmp_path / "cache", credentials=credentials_for(guarded))
    with builder, pytest.raises(Forbidden, match=r"builder from config\.json .*library/python"):
        builder.build(spec_for(guarded), CODE, silent)


def test_login_that_is_wrong_is_named_without_its_password(guarded: Registry, tmp_path: Path) -> None:
    builder = builder_for(guarded, tmp_path / "cache", credentials=credentials_for(guarded, "builder:wrong"))
    with builder, pytest.raises(Forbidden, match=r"builder from config\.json") as caught:
        builder.find(spec_for(guarded))
    assert "wrong" not in str(caught.value)


def test_missing_login_says_how_to_log_in(guarded: Registry, tmp_path: Path) -> None:
    with builder_for(guarded, tmp_path / "cache") as builder, pytest.raises(Forbidden) as caught:
        builder.find(spec_for(guarded))
    assert f"docker login {guarded.address}" in (caught.value.hint or "")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Registry]:
    """A registry that wants a password, with a base that was pushed before."""
    with running_registry(tmp_path / "registry") as open_to_all:
        push_base(open_to_all.url)
    passwords = tmp_path / "passwords"
    passwords.write_text(PASSWORDS)
    options = json.dumps({"auth": {"htpasswd": {"realm": "tests", "path": str(passwords)}}})[1:-1]
    with running_registry(tmp_path / "registry", options) as running:
        yield running


def test_image_is_pushed_with_a_password(locked: Registry, tmp_path: Path) -> None:
    with builder_for(locked, tmp_path / "cache", credentials=credentials_for(locked)) as builder:
        assert builder.build(spec_for(locked), CODE, silent)
    wrong = builder_for(locked, tmp_path / "other", credentials=credentials_for(locked, "builder:wrong"))
    with wrong, pytest.raises(Forbidden, match="builder"):
        wrong.find(spec_for(locked))


def test_login_never_follows_a_redirect_to_another_host(locked: Registry, tmp_path: Path) -> None:
    with running_proxy(locked.address) as front, running_proxy(locked.address) as elsewhere:
        through = replace(locked, address=front.url.removeprefix("http://"))

        def choose(method: str, path: str, before: int) -> Fault | None:
            base = method == "GET" and path.startswith("/v2/library/python/blobs/")
            return Fault(307, {"location": f"{elsewhere.url}{path}"}) if base else None

        front.choose = choose
        builder = builder_for(through, tmp_path / "cache", credentials=credentials_for(through))
        with builder, pytest.raises(Forbidden):
            builder.build(spec_for(through), CODE, silent)
        assert elsewhere.seen, "the redirect was followed, and found nobody who knows us"


HELPER = """#!/bin/sh
read registry
case "$1 $registry" in
  "get known.example.com") echo '{"ServerURL": "known.example.com", "Username": "user", "Secret": "pass"}' ;;
  "get unknown.example.com") echo "credentials not found in native keychain"; exit 1 ;;
  *) echo "the keychain is locked: pass"; exit 1 ;;
esac
"""


def test_credential_helper_is_asked_as_docker_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker-credential-tests"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    credentials = parse_docker_config('{"credsStore": "tests"}', "config.json")
    login = credentials.login("known.example.com")
    assert login is not None
    assert (login.user, login.password.reveal()) == ("user", "pass")
    assert credentials.login("unknown.example.com") is None
    with pytest.raises(Stalled, match="docker-credential-tests failed with code 1") as caught:
        credentials.login("locked.example.com")
    assert "keychain" not in str(caught.value)


def test_missing_credential_helper_is_named() -> None:
    credentials = parse_docker_config('{"credsStore": "not-installed-anywhere"}', "config.json")
    with pytest.raises(Stalled, match="docker-credential-not-installed-anywhere"):
        credentials.login("example.com")
