"""What networks and registries do to a push: it ends well or with a reason, and a tag never leads to a broken image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from base_images import push_base
from faulty_proxy import Fault, Proxy, running_proxy
from image_examples import CODE, in_code, silent
from registry_images import PROJECT, builder_for, manifest_at, spec_for, tree_at
from registry_server import Registry, running_registry

from controller.images.registry.builder import RegistryBuilder
from controller.model.errors import Forbidden, PointsmanError, Stalled, Transient, Unavailable

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
    assert registry.tags(PROJECT) == [f"v-{image.key}"]
    assert "valohai/code/m.bin" in tree_at(registry, image)


@pytest.mark.parametrize("step", [step for step in STEPS if step != "look for a blob"])
@pytest.mark.parametrize("status", [401, 403])
def test_refusal_names_the_login_and_leaves_no_tag(
    registry: Registry, proxy: Proxy, builder: RegistryBuilder, step: str, status: int
) -> None:
    challenge = {"www-authenticate": 'Basic realm="registry"'} if status == 401 else {}
    proxy.choose = always(step, Fault(status, challenge))
    with pytest.raises(Forbidden) as caught:
        builder.build(spec_through(proxy, registry), CODE, silent)
    assert "docker login" in (caught.value.hint or "")
    assert registry.tags(PROJECT) == []
    proxy.choose = lambda method, path, before: None
    assert builder.build(spec_through(proxy, registry), CODE, silent)


@pytest.mark.parametrize("size", [0, 1, 100_000, 1_290_000])
def test_upload_that_is_cut_is_sent_again(registry: Registry, proxy: Proxy, builder: RegistryBuilder, size: int) -> None:
    proxy.choose = first("send a blob", Fault(cut=size))
    image = builder.build(spec_through(proxy, registry), CODE, silent)
    assert tree_at(registry, image)["valohai/code/m.bin"][3] == CODE.files["models/net.bin"]


def test_upload_that_is_always_cut_is_given_up_for_now(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("send a blob", Fault(cut=1))
    with pytest.raises(Unavailable):
        builder.build(spec_through(proxy, registry), CODE, silent)
    assert registry.tags(PROJECT) == []
    assert builder.find(spec_through(proxy, registry)) is None


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


def test_request_to_stay_away_for_long_ends_the_build(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("resolve the base", Fault(429, {"retry-after": "3600"}))
    with pytest.raises(Unavailable, match="429"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    assert proxy.seen.count(("HEAD", "/v2/library/python/manifests/3.11")) == 1


@pytest.mark.parametrize("what", ["manifest", "configuration"])
def test_base_with_other_bytes_than_its_digest_is_not_believed(
    registry: Registry, proxy: Proxy, builder: RegistryBuilder, what: str
) -> None:
    proxy.choose = always(f"read the base's {what}", Fault(replace=lambda body: body + b" "))
    with pytest.raises(Unavailable, match=r"other bytes|with the bytes of"):
        builder.build(spec_through(proxy, registry), CODE, silent)
    proxy.choose = lambda method, path, before: None
    assert builder.build(spec_through(proxy, registry), CODE, silent)


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


def test_digest_header_that_is_none_is_refused(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("resolve the base", Fault(headers={"Docker-Content-Digest": "../../etc/passwd"}))
    with pytest.raises(Stalled, match="not a digest"):
        builder.build(spec_through(proxy, registry), CODE, silent)


def test_manifest_without_end_is_not_read(registry: Registry, proxy: Proxy, builder: RegistryBuilder) -> None:
    proxy.choose = always("read the base's manifest", Fault(replace=lambda body: bytes(9 << 20)))
    with pytest.raises(PointsmanError, match="larger than"):
        builder.build(spec_through(proxy, registry), CODE, silent)


def test_registry_that_is_down_is_no_reason_to_forget(registry: Registry, builder: RegistryBuilder, proxy: Proxy) -> None:
    registry.process.kill()
    registry.process.wait()
    proxy.choose = lambda method, path, before: Fault(cut=0)
    with pytest.raises(Unavailable):
        builder.find(spec_through(proxy, registry))
