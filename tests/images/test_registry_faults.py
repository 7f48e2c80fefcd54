"""What networks and registries do to a push: it ends well or with a reason, and a tag never leads to a broken image."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from base_images import MANIFEST, digest_of, push_base
from faulty_proxy import Fault, Proxy, running_proxy
from image_examples import CODE, in_code, silent
from registry_images import PROJECT, broken_blobs, builder_for, manifest_at, spec_for, tree_at
from registry_server import Registry, running_registry
from token_server import LOGIN, running_token_server

from controller.images.registry import session
from controller.images.registry.auth import Credentials, parse_docker_config
from controller.images.registry.builder import RegistryBuilder
from controller.images.registry.client import RegistryClient
from controller.images.registry.reference import parse_location
from controller.images.registry.session import Session
from controller.model.errors import Forbidden, PointsmanError, Stalled, Transient, Unavailable
from controller.model.images import Image

pytestmark = pytest.mark.faults

Choose = Callable[[str, str, int], Fault | None]
STEPS = {
    "look for the image": ("HEAD", "/manifests/v-"),
    "resolve the base": ("HEAD", "/library/python/manifests/3.11"),
    "read the base's manifest": ("GET", "/library/python/manifests/"),
    "read the base's configuration": ("GET", "/library/python/blobs/"),
    "look for a blob": ("GET", f"/{PROJECT}/blobs/"),
    "mount or begin an upload": ("POST", "/blobs/uploads/"),
    "send a blob": ("PUT", "/blobs/uploads/"),
    "publish by digest": ("PUT", "/manifests/sha256:"),
    "publish by tag": ("PUT", "/manifests/v-"),
}


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with running_proxy(registry.address) as running:
        yield running


@pytest.fixture
def builder(registry: Registry, proxy: Proxy, tmp_path: Path) -> Iterator[RegistryBuilder]:
    """A builder that knows the registry by the proxy alone, as do its pods."""
    with builder_for(
        replace(registry, address=proxy.url.removeprefix("http://")), tmp_path / "cache", first_pause=0.01
    ) as made:
        yield made


def spec_through(proxy: Proxy, registry: Registry, **changes: object):  # type: ignore[no-untyped-def]
    files = {"m.bin": in_code("models/net.bin")}
    address = proxy.url.removeprefix("http://")
    return spec_for(registry, files=files, repository=f"{address}/{PROJECT}", **changes)


def first(step: str, fault: Fault, times: int = 1) -> Choose:
    """The fault for the first requests of a step, of all paths together."""
    method, part = STEPS[step]
    left = [times]

    def choose(asked: str, path: str, before: int) -> Fault | None:
        if asked == method and part in path and left[0]:
            left[0] -= 1
            return fault
        return None

    return choose


def always(step: str, fault: Fault) -> Choose:
    return first(step, fault, times=1_000_000)


def require_whole(registry: Registry, tag: str = "", repository: str = PROJECT) -> None:
    """Every tag, or none, leads to an image whose blobs can all be read, and are what their digests say."""
    location = parse_location(registry.url)
    session = Session(location, location.host, Credentials(), first_pause=0.01)
    try:
        tags = registry.tags(repository)
        assert tags == ([tag] if tag else [])
        for name in tags:
            assert broken_blobs(RegistryClient(session, lambda: None), repository, name) == []
    finally:
        session.close()


def require_next_try(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    """Without faults the same builder finishes."""
    proxy.choose = lambda method, path, before: None
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry, f"v-{image.key}")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "fault",
    [Fault(500), Fault(503), Fault(429, {"retry-after": "0"}), Fault(cut=0), Fault(short=1)],
    ids=["500", "503", "429", "no answer", "answer cut"],
)
def test_fault_that_passes_is_got_over(
    registry: Registry, proxy: Proxy, builder: RegistryBuilder, step: str, fault: Fault
) -> None:
    proxy.choose = first(step, fault)
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry, f"v-{image.key}")
    assert "valohai/code/m.bin" in tree_at(registry, image)


@pytest.mark.parametrize(
    ("step", "status"), [*((step, 503) for step in STEPS), ("send a blob", 500), ("send a blob", 429), ("publish by tag", 429)]
)
def test_fault_that_stays_ends_the_build_and_not_the_next_one(
    registry: Registry, proxy: Proxy, builder: RegistryBuilder, step: str, status: int
) -> None:
    proxy.choose = always(step, Fault(status, {"retry-after": "0"}))
    with pytest.raises(Unavailable, match=f"answers {status}"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry)
    require_next_try(registry, proxy, builder)


@pytest.mark.parametrize("step", ["look for a blob", "mount or begin an upload", "send a blob", "publish by tag"])
def test_registry_that_asks_to_be_left_alone_is(
    registry: Registry, proxy: Proxy, builder: RegistryBuilder, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(session, "wait", lambda seconds, _tick: pauses.append(seconds))
    proxy.choose = first(step, Fault(429, {"retry-after": "77"}), 2)
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry, f"v-{image.key}")
    assert pauses == [77.0, 77.0]


def test_blob_that_cannot_be_looked_at_is_sent(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("look for a blob", Fault(500))
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry, f"v-{image.key}")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [401, 403])
def test_refusal_names_the_login_and_leaves_no_tag(
    registry: Registry, proxy: Proxy, builder: RegistryBuilder, step: str, status: int
) -> None:
    challenge = {"www-authenticate": 'Basic realm="registry"'} if status == 401 else {}
    proxy.choose = always(step, Fault(status, challenge))
    with pytest.raises(Forbidden) as caught:
        builder.build(spec_through(proxy, registry), CODE, silent)
    assert "docker login" in (caught.value.hint or "")
    require_whole(registry)
    require_next_try(registry, proxy, builder)


@pytest.mark.parametrize("size", [0, 1, 100_000, 1_290_000])
def test_upload_that_is_cut_is_sent_again(registry: Registry, proxy: Proxy, builder: RegistryBuilder, size: int) -> None:
    proxy.choose = first("send a blob", Fault(cut=size))
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    assert tree_at(registry, image)["valohai/code/m.bin"][3] == CODE.files["models/net.bin"]
    require_whole(registry, f"v-{image.key}")


def test_upload_that_is_always_cut_is_given_up_for_now(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("send a blob", Fault(cut=1))
    with pytest.raises(Unavailable):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry)
    assert builder.find(spec_through(proxy, registry)) is None
    require_next_try(registry, proxy, builder)


def test_mount_that_is_not_allowed_becomes_a_copy(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = lambda method, path, before: Fault(403) if method == "POST" and "mount=" in path else None
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    assert "etc/passwd" in tree_at(registry, image)


def test_mount_that_is_not_known_becomes_a_copy(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    def choose(method: str, path: str, before: int) -> Fault | None:
        if method == "POST" and "mount=" in path:
            return Fault(202, {"location": f"/v2/{PROJECT}/blobs/uploads/unknown"})
        return None

    proxy.choose = choose
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    assert "etc/passwd" in tree_at(registry, image)
    assert ("DELETE", f"/v2/{PROJECT}/blobs/uploads/unknown") in proxy.seen


def test_body_limit_of_a_proxy_is_named(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("send a blob", Fault(413))
    with pytest.raises(Stalled, match="413") as caught:
        builder.build(spec_through(proxy, registry), CODE, silent)
    assert "body limit" in (caught.value.hint or "")
    require_whole(registry)
    require_next_try(registry, proxy, builder)


def test_request_to_stay_away_for_long_ends_the_build(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("resolve the base", Fault(429, {"retry-after": "3600"}))
    with pytest.raises(Unavailable, match="429"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    assert proxy.seen.count(("HEAD", "/v2/library/python/manifests/3.11")) == 1
    require_next_try(registry, proxy, builder)


@pytest.mark.parametrize("what", ["manifest", "configuration"])
def test_base_with_other_bytes_than_its_digest_is_not_believed(
    registry: Registry, proxy: Proxy, builder: RegistryBuilder, what: str
) -> None:
    proxy.choose = always(f"read the base's {what}", Fault(replace=lambda body: body + b" "))
    with pytest.raises(Unavailable, match=r"other bytes|with the bytes of"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry)
    require_next_try(registry, proxy, builder)


def test_copied_base_with_other_bytes_never_gets_a_tag(registry: Registry, tmp_path: Path) -> None:
    with running_registry(tmp_path / "other") as other, running_proxy(other.address) as proxy:
        push_base(other.url, "team/base", "1")
        spec = spec_for(registry, base=f"{proxy.url.removeprefix('http://')}/team/base:1")
        with builder_for(registry, tmp_path / "cache") as builder:
            builder_spec = replace(spec, command="python other.py")
            digest = manifest_at(registry, builder.build(builder_spec, CODE, silent))["layers"][0]["digest"]
            registry.blob(digest).unlink()
        part = f"/blobs/{digest}"
        lie = Fault(replace=lambda body: bytes(len(body)))
        proxy.choose = lambda method, path, before: lie if method == "GET" and part in path else None
        with builder_for(registry, tmp_path / "fresh") as fresh:
            with pytest.raises(Transient):
                fresh.build(spec, CODE, silent)
            assert registry.tags(PROJECT) == [builder_spec.tag]
            proxy.choose = lambda method, path, before: None
            assert fresh.build(spec, CODE, silent)


def test_limit_of_a_registry_is_told_in_its_own_figures(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    limits = {"retry-after": "3600", "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600"}
    proxy.choose = always("read the base's manifest", Fault(429, limits))
    with pytest.raises(Unavailable, match=r"answers 429, .*: it allows 100 in 6 h, and 0 are left"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_next_try(registry, proxy, builder)


def test_base_in_the_obsolete_schema_is_refused_by_name(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    old = json.dumps({"schemaVersion": 1, "name": "library/python", "tag": "3.11", "fsLayers": [], "history": []}).encode()

    def choose(method: str, path: str, before: int) -> Fault | None:
        if "/library/python/manifests/" not in path:
            return None
        kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
        return Fault(200, {"content-type": kind, "docker-content-digest": digest_of(old)}, b"" if method == "HEAD" else old)

    proxy.choose = choose
    with pytest.raises(Stalled, match="only in the obsolete schema 1") as caught:
        builder.build(spec_through(proxy, registry), CODE, silent)
    assert "push it again" in (caught.value.hint or "")
    require_next_try(registry, proxy, builder)


def test_digest_header_that_is_none_is_refused(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("resolve the base", Fault(headers={"Docker-Content-Digest": "../../etc/passwd"}))
    with pytest.raises(Stalled, match="not a digest"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry)
    require_next_try(registry, proxy, builder)


def test_manifest_without_end_is_not_read(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("read the base's manifest", Fault(replace=lambda body: bytes(9 << 20)))
    with pytest.raises(PointsmanError, match="larger than"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_next_try(registry, proxy, builder)


def test_blob_that_is_confirmed_and_not_kept_is_sent_again(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = first("send a blob", Fault(201))
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry, f"v-{image.key}")


def test_blobs_that_are_never_kept_lead_to_no_tag(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("send a blob", Fault(201))
    with pytest.raises(PointsmanError, match=r"MANIFEST_BLOB_UNKNOWN|BLOB_UNKNOWN"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry)
    require_next_try(registry, proxy, builder)


def test_tag_that_is_confirmed_and_not_kept_is_noticed(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("publish by tag", Fault(201))
    with pytest.raises(Transient, match="vanished"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry)
    require_next_try(registry, proxy, builder)


def test_stale_word_of_an_image_that_is_gone_is_not_believed(
    registry: Registry, proxy: Proxy, builder: RegistryBuilder
) -> None:
    stale = Fault(200, {"docker-content-digest": digest_of(b"gone"), "content-type": MANIFEST})
    proxy.choose = first("look for the image", stale)
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry, f"v-{image.key}")


def test_stale_word_of_a_base_is_refused_until_it_is_fresh(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    stale = Fault(200, {"docker-content-digest": digest_of(b"gone"), "content-type": MANIFEST})
    proxy.choose = always("resolve the base", stale)
    with pytest.raises(Stalled, match="does not exist"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    require_whole(registry)
    require_next_try(registry, proxy, builder)


@pytest.mark.parametrize("step", STEPS)
def test_token_that_ends_in_the_middle_is_replaced(registry: Registry, tmp_path: Path, step: str) -> None:
    """Whatever the token server said of its life: the registry itself refuses it at this step."""
    with running_token_server(tmp_path) as tokens:
        tokens.granted = {"library/python", PROJECT, "pointsman/bases"}
        with (
            running_registry(tmp_path / "registry", tokens.registry_options) as guarded,
            running_proxy(guarded.address) as proxy,
        ):
            address = proxy.url.removeprefix("http://")
            auth = base64.b64encode(LOGIN.encode()).decode()
            login = parse_docker_config(json.dumps({"auths": {address: {"auth": auth}}}), "config.json")
            with builder_for(
                replace(guarded, address=address), tmp_path / "cache", credentials=login, first_pause=0.01
            ) as build:
                warm = replace(spec_through(proxy, guarded), port=9000)
                build.build(warm, CODE, silent)
                proxy.choose = first(step, Fault(sent={"authorization": "Bearer expired"}))
                image = build.build(spec_through(proxy, guarded), CODE, silent)
    require_tag(tmp_path, image)


def require_tag(directory: Path, image: Image) -> None:
    with running_registry(directory / "registry") as unguarded:
        assert f"v-{image.key}" in unguarded.tags(PROJECT)
        assert "valohai/code/m.bin" in tree_at(unguarded, image)


def test_registry_that_is_killed_in_an_upload_and_comes_back(registry: Registry, proxy: Proxy, tmp_path: Path) -> None:
    def choose(method: str, path: str, before: int) -> Fault | None:
        if method == "PUT" and "/blobs/" in path:
            registry.process.kill()
            registry.process.wait()
            return Fault(cut=1)
        return None

    through = replace(registry, address=proxy.url.removeprefix("http://"))
    with builder_for(through, tmp_path / "cache", first_pause=0.01) as builder:
        proxy.choose = choose
        with pytest.raises(Unavailable):
            builder.build(spec_through(proxy, registry), CODE, silent)
        assert registry.tags(PROJECT) == []
        with running_registry(tmp_path / "registry", address=registry.address) as again:
            require_next_try(again, proxy, builder)


def test_registry_that_is_down_is_no_reason_to_forget(registry: Registry, builder: RegistryBuilder, proxy: Proxy) -> None:
    registry.process.kill()
    registry.process.wait()
    proxy.choose = lambda method, path, before: Fault(cut=0)
    with pytest.raises(Unavailable):
        builder.find(spec_through(proxy, registry))
