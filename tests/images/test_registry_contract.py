"""The same suite on two families of registries, each open, with a password and with tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from base_images import digest_of, push_base
from image_examples import CODE, MemoryCode, in_code, silent
from olareg import running_olareg
from registry_images import PROJECT, broken_blobs, builder_for, spec_for
from registry_server import Registry, running_registry
from test_registry_logins import PASSWORDS
from token_server import LOGIN, running_token_server

from controller.images.registry.auth import Credentials, parse_docker_config
from controller.images.registry.client import RegistryClient, is_missing_blob
from controller.images.registry.reference import parse_location
from controller.images.registry.session import Refused, Session
from controller.model.errors import Forbidden, Unavailable

pytestmark = pytest.mark.contract

Guarded = tuple[Registry, Credentials]


@contextmanager
def _distribution(directory: Path) -> Iterator[Registry]:
    with running_registry(directory) as running:
        yield running


@contextmanager
def _distribution_with_password(directory: Path) -> Iterator[Registry]:
    passwords = directory / "passwords"
    passwords.write_text(PASSWORDS)
    options = {"auth": {"htpasswd": {"realm": "tests", "path": str(passwords)}}}
    with running_registry(directory, json.dumps(options)[1:-1]) as running:
        yield running


@contextmanager
def _distribution_with_tokens(directory: Path) -> Iterator[Registry]:
    with running_token_server(directory) as tokens:
        tokens.granted = {"library/python", PROJECT, "pointsman/bases", "pointsman/ruksi/other"}
        with running_registry(directory, tokens.registry_options) as running:
            yield running


KINDS = {
    "distribution": (_distribution, running_registry),
    "distribution, password": (_distribution_with_password, running_registry),
    "distribution, tokens": (_distribution_with_tokens, running_registry),
    "olareg": (running_olareg, running_olareg),
    "olareg, password": (lambda directory: running_olareg(directory, "basic"), running_olareg),
    "olareg, tokens": (lambda directory: running_olareg(directory, "token-opaque"), running_olareg),
}


@pytest.fixture(scope="module", params=list(KINDS))
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A registry with a base in it, which was pushed before it had a guard, and the login that the guard lets in."""
    guard, without = KINDS[request.param]
    directory = tmp_path_factory.mktemp("registry")
    with without(directory) as unguarded:
        push_base(unguarded.url)
    with guard(directory) as running:
        yield running, credentials_for(running, LOGIN)


def credentials_for(registry: Registry, login: str) -> Credentials:
    auth = base64.b64encode(login.encode()).decode()
    return parse_docker_config(json.dumps({"auths": {registry.address: {"auth": auth}}}), "config.json")


@pytest.fixture
def client(guarded: Guarded) -> Iterator[RegistryClient]:
    registry, credentials = guarded
    location = parse_location(registry.url)
    session = Session(location, location.host, credentials, first_pause=0.01)
    yield RegistryClient(session, lambda: None)
    session.close()


def test_image_is_built_once_and_found_by_whoever_looks(guarded: Guarded, client: RegistryClient, tmp_path: Path) -> None:
    registry, credentials = guarded
    spec = spec_for(registry, files={"m.bin": in_code("models/net.bin")}, shim=True)
    with builder_for(registry, tmp_path / "cache", credentials=credentials) as builder:
        image = builder.build(spec, CODE, silent)
    with builder_for(registry, tmp_path / "fresh", credentials=credentials) as fresh:
        assert fresh.find(spec) == image == fresh.build(spec, CODE, silent)
    assert broken_blobs(client, PROJECT, spec.tag) == []
    assert registry.uploads(PROJECT) == []


def test_base_is_mounted_and_what_is_there_is_not_sent_again(guarded: Guarded, tmp_path: Path) -> None:
    registry, credentials = guarded
    other = MemoryCode({**CODE.files, "serve.py": b"print('other')\n"}, CODE.modes)
    files = {"m.bin": in_code("models/net.bin")}
    with builder_for(registry, tmp_path / "cache", credentials=credentials) as builder:
        builder.build(spec_for(registry, files=files), CODE, silent)
    sent: list[str] = []
    with builder_for(registry, tmp_path / "fresh", credentials=credentials) as fresh:
        pushed = noticing(fresh, sent)
        pushed.build(spec_for(registry, other, files=files), other, silent)
        assert len(sent) == 2, "the code and the configuration"
        elsewhere = spec_for(registry, other, repository=f"{registry.address}/pointsman/ruksi/other")
        pushed.build(elsewhere, other, silent)
    base = json.loads((tmp_path / "fresh/bases").glob("*-configuration.json").__next__().read_bytes())
    assert base["rootfs"]["diff_ids"]
    assert len(sent) == 4, "the base is mounted"


def noticing(builder, sent: list[str]):  # type: ignore[no-untyped-def]
    """The same builder; the digests of the blobs that it sends are noted."""
    session = builder._registries.session(builder._location)
    send = session._send

    def watched(call, url, authorization):  # type: ignore[no-untyped-def]
        response = send(call, url, authorization)
        if call.method == "PUT" and "/blobs/" in call.url and response.status_code == 201:
            sent.append(call.action)
        return response

    session._send = watched
    return builder


def test_mount_of_what_is_not_there_begins_an_upload_that_can_be_cancelled(guarded: Guarded, client: RegistryClient) -> None:
    registry, _ = guarded
    upload = client.mount(PROJECT, digest_of(b"never pushed"), "library/python")
    assert upload is not None
    client.cancel(upload)
    assert registry.uploads(PROJECT) == []
    with pytest.raises(Unavailable):
        client.finish(upload, digest_of(b"x"), 1, lambda: iter((b"x",)))


def test_blob_is_sent_looked_at_and_read(client: RegistryClient) -> None:
    data = b"any bytes" * 100_000
    digest = digest_of(data)
    assert not client.has_blob(PROJECT, digest)
    client.finish(client.start(PROJECT), digest, len(data), lambda: iter((data,)))
    assert client.has_blob(PROJECT, digest)
    client.finish(client.start(PROJECT), digest, len(data), lambda: iter((data,)))
    with client.reading(PROJECT, digest) as blocks:
        assert b"".join(blocks) == data


def test_bytes_of_another_digest_are_refused(client: RegistryClient) -> None:
    digest = digest_of(b"what was announced")
    with pytest.raises(Unavailable):
        client.finish(client.start(PROJECT), digest, 5, lambda: iter((b"other",)))
    assert not client.has_blob(PROJECT, digest)


def test_manifest_of_a_missing_blob_is_refused(client: RegistryClient) -> None:
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"nothing"), "size": 7}
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described,
        "layers": [],
    }
    data = json.dumps(document).encode()
    with pytest.raises(Refused) as caught:
        client.put_manifest(PROJECT, digest_of(data), data)
    assert is_missing_blob(caught.value), "the builder knows what to do about it"
    assert client.manifest_digest(PROJECT, digest_of(data)) is None


def test_login_that_is_wrong_is_named(guarded: Guarded, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    registry, _ = guarded
    wrong = credentials_for(registry, "builder:wrong")
    with builder_for(registry, tmp_path / "cache", credentials=wrong) as builder:
        if "," not in request.node.name:
            assert builder.find(spec_for(registry, port=1)) is None, "nobody asks"
            return
        with pytest.raises(Forbidden, match=r"builder from config\.json") as caught:
            builder.find(spec_for(registry, port=1))
    assert "wrong" not in str(caught.value)
