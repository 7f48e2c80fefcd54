"""A project's images as a clean-up sees them: listed whole, deleted by digest, and every refusal with what to do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from base_images import MANIFEST, push_base, push_manifest
from faulty_proxy import Fault, Proxy, running_proxy
from image_examples import CODE, silent
from olareg import running_olareg
from registry_images import PROJECT, builder_for, manifest_at, spec_for
from registry_server import Registry, running_registry
from token_server import LOGIN, TokenServer, running_token_server

from controller.images.registry.auth import Credentials, parse_docker_config
from controller.images.registry.client import RegistryClient
from controller.images.registry.reference import parse_location
from controller.images.registry.session import Session
from controller.images.registry.shelf import Shelf
from controller.model.errors import Forbidden, Stalled, Unavailable
from controller.model.images import Image

pytestmark = pytest.mark.contract

INDEX = "application/vnd.oci.image.index.v1+json"


@contextmanager
def shelf_at(url: str, credentials: Credentials | None = None) -> Iterator[Shelf]:
    location = parse_location(url)
    session = Session(location, location.host, credentials or Credentials(), first_pause=0.01)
    try:
        yield Shelf(RegistryClient(session, lambda: None), PROJECT)
    finally:
        session.close()


@pytest.fixture(params=[running_registry, running_olareg], ids=["distribution", "olareg"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """One of either family, with a base."""
    with request.param(tmp_path / "registry") as running:
        push_base(running.url)
        yield running


@pytest.fixture
def distribution(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        push_base(running.url)
        yield running


@pytest.fixture
def shelf(registry: Registry) -> Iterator[Shelf]:
    with shelf_at(registry.url) as made:
        yield made


def built(registry: Registry, cache: Path, *ports: int, credentials: Credentials | None = None) -> list[Image]:
    with builder_for(registry, cache, credentials=credentials) as builder:
        return [builder.build(spec_for(registry, port=port), CODE, silent) for port in ports]


def tag_as(registry: Registry, image: Image, tag: str) -> None:
    """As `docker tag` and `docker push` do."""
    url = f"{registry.url}/v2/{PROJECT}/manifests"
    found = httpx2.get(f"{url}/{image.digest}", headers={"accept": MANIFEST})
    put = httpx2.put(f"{url}/{tag}", content=found.content, headers={"content-type": found.headers["content-type"]})
    assert put.status_code == 201, put.text


def test_images_are_listed_and_deleted_by_digest(registry: Registry, shelf: Shelf, tmp_path: Path) -> None:
    assert shelf.tags() == frozenset(), "the repository does not exist yet"
    first, second = built(registry, tmp_path / "cache", 8000, 8001)
    assert shelf.tags() == {f"v-{first.key}", f"v-{second.key}"}
    assert shelf.digests(f"v-{first.key}") == {first.digest}
    layers = [layer for layer in manifest_at(registry, first)["layers"] if "annotations" in layer]
    assert layers
    assert shelf.size(first.digest) == sum(layer["size"] for layer in layers)
    shelf.delete(first.digest)
    assert shelf.tags() == {f"v-{second.key}"}
    assert shelf.digests(f"v-{first.key}") == frozenset()
    assert shelf.size(first.digest) is None
    shelf.delete(first.digest)


def test_the_base_and_the_layers_of_other_images_stay(registry: Registry, shelf: Shelf, tmp_path: Path) -> None:
    first, second = built(registry, tmp_path / "cache", 8000, 8001)
    shelf.delete(first.digest)
    for layer in manifest_at(registry, second)["layers"]:
        assert httpx2.head(f"{registry.url}/v2/{PROJECT}/blobs/{layer['digest']}").status_code == 200
    assert registry.tags("library/python") == ["3.11"]


def test_a_tag_of_others_and_an_index_of_others_say_what_they_lead_to(registry: Registry, shelf: Shelf, tmp_path: Path) -> None:
    (image,) = built(registry, tmp_path / "cache", 8000)
    tag_as(registry, image, "stable")
    assert shelf.digests("stable") == {image.digest}
    found = httpx2.get(f"{registry.url}/v2/{PROJECT}/manifests/{image.digest}", headers={"accept": MANIFEST})
    child = {"mediaType": MANIFEST, "digest": image.digest, "size": len(found.content)}
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}
    index = push_manifest(registry.url, PROJECT, "all", document)
    assert shelf.digests("all") == {index, image.digest}


def test_a_list_is_whole_whatever_the_registry_holds_of_pages(
    registry: Registry, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = built(registry, tmp_path / "cache", 8000, 8001, 8002)
    monkeypatch.setattr("controller.images.registry.shelf.PAGE", 1)
    assert shelf.tags() == {f"v-{image.key}" for image in images}


def paged(size: int) -> Callable[[str, str, int], Fault | None]:
    """A registry that lists its tags in pages, as distribution 3 and hosted ones do."""
    names = [f"v-{number:040x}" for number in range(7)]

    def choose(method: str, path: str, before: int) -> Fault | None:
        if not urlsplit(path).path.endswith("/tags/list"):
            return None
        last = parse_qs(urlsplit(path).query).get("last", [""])[0]
        page = [name for name in names if name > last][:size]
        more = page and page[-1] != names[-1]
        link = {"link": f'</v2/{PROJECT}/tags/list?n={size}&last={page[-1]}>; rel="next"'} if more else {}
        return Fault(200, link, json.dumps({"name": PROJECT, "tags": page}).encode())

    return choose


@pytest.fixture
def front() -> Iterator[Proxy]:
    """Answers for a registry that is not there."""
    with running_proxy("127.0.0.1:9") as proxy:
        yield proxy


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_list_in_pages_is_read_to_its_end(front: Proxy, size: int) -> None:
    front.choose = paged(size)
    with shelf_at(front.url) as shelf:
        assert shelf.tags() == {f"v-{number:040x}" for number in range(7)}


def test_a_page_that_fails_makes_no_shorter_list(front: Proxy) -> None:
    pages = paged(3)

    def choose(method: str, path: str, before: int) -> Fault | None:
        return Fault(500) if "last=" in path else pages(method, path, before)

    front.choose = choose
    with shelf_at(front.url) as shelf, pytest.raises(Unavailable, match=f"answers 500, asked to list the tags of {PROJECT}"):
        shelf.tags()


def test_a_list_without_an_end_is_given_up(front: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.images.registry.shelf.MOST_PAGES", 5)
    link = {"link": f'</v2/{PROJECT}/tags/list?n=1>; rel="next"'}
    front.choose = lambda method, path, before: Fault(200, link, b'{"tags": ["a"]}')
    with shelf_at(front.url) as shelf, pytest.raises(Unavailable, match="without an end"):
        shelf.tags()
    assert len(front.seen) == 5


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tags": 3}', b'{"tags": [1]}', b'{"tags": ["../../up"]}', b"<html>"])
def test_an_answer_that_is_no_list_is_not_an_empty_one(front: Proxy, body: bytes) -> None:
    front.choose = lambda method, path, before: Fault(200, {}, body)
    with shelf_at(front.url) as shelf, pytest.raises(Unavailable, match=f"something else than the tags of {PROJECT}"):
        shelf.tags()


def test_no_tags_at_all_are_none(front: Proxy) -> None:
    front.choose = lambda method, path, before: Fault(200, {}, b'{"name": "x", "tags": null}')
    with shelf_at(front.url) as shelf:
        assert shelf.tags() == frozenset()


def test_a_deletion_is_tried_again(distribution: Registry, tmp_path: Path) -> None:
    (image,) = built(distribution, tmp_path / "cache", 8000)
    answers = iter((429, 500, 503))
    with running_proxy(distribution.address) as front:
        front.choose = lambda method, path, before: Fault(next(answers)) if method == "DELETE" and before < 3 else None
        with shelf_at(front.url) as shelf:
            shelf.delete(image.digest)
            assert shelf.tags() == frozenset()


def test_a_registry_that_lets_nobody_delete_says_how_to_change_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_STORAGE_DELETE_ENABLED", "false")
    with running_registry(tmp_path / "registry") as registry, shelf_at(registry.url) as shelf:
        push_base(registry.url)
        (image,) = built(registry, tmp_path / "cache", 8000)
        with pytest.raises(Stalled, match=r"does not let anybody delete images \(405\)") as caught:
            shelf.delete(image.digest)
        assert "REGISTRY_STORAGE_DELETE_ENABLED" in (caught.value.hint or "")
        assert shelf.tags() == {f"v-{image.key}"}


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    with running_token_server(tmp_path) as running:
        running.granted = {"library/python", PROJECT, "pointsman/bases"}
        yield running


def test_a_login_deletes_with_the_scope_for_it_and_without_it_is_named(tmp_path: Path, tokens: TokenServer) -> None:
    with running_registry(tmp_path / "registry") as open_to_all:
        push_base(open_to_all.url)
    with running_registry(tmp_path / "registry", tokens.registry_options) as guarded:
        auth = base64.b64encode(LOGIN.encode()).decode()
        login = parse_docker_config(json.dumps({"auths": {guarded.address: {"auth": auth}}}), "config.json")
        first, second = built(guarded, tmp_path / "cache", 8000, 8001, credentials=login)
        with shelf_at(guarded.url, login) as shelf:
            shelf.delete(first.digest)
            assert [f"repository:{PROJECT}:delete"] in tokens.asked
            assert shelf.tags() == {f"v-{second.key}"}
        tokens.denied = {"delete"}
        with shelf_at(guarded.url, login) as shelf:
            with pytest.raises(Forbidden, match=rf"does not let builder from config\.json delete {PROJECT}@") as caught:
                shelf.delete(second.digest)
            assert f"repository:{PROJECT}:delete" in (caught.value.hint or "")
            assert shelf.tags() == {f"v-{second.key}"}
