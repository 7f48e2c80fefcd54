"""Images that a real Engine builds and pushes to a real registry: found there like those that are appended."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from base_images import DEBIAN, RUN, push_base
from engine_images import connected
from faulty_proxy import Fault, Proxy, running_proxy
from image_examples import CODE, MemoryCode, silent
from registry_images import PROJECT, builder_for, config_at, manifest_at, spec_for, tree_at
from registry_server import Registry, running_registry

from controller.cli.running.builders import registry_builder
from controller.dockerd.engine import LateEngine
from controller.images.base import Base
from controller.images.docker.pushing import PushingBuilder, annotated
from controller.images.registry.auth import Credentials, parse_docker_config
from controller.loading.configuration import load_configuration
from controller.model.errors import Forbidden, Stalled, Transient
from controller.model.images import ImageSpec
from tests.docker_engine.engine import Engine, running_engine

pytestmark = pytest.mark.contract

PASSWORDS = "builder:$2b$05$Q3C179KvN4EZ3ZX9W9OlTOEAl61HhQI38EYcBgNOCfS.DQGCgX4Bm\n"
"""What `htpasswd -nbB -C 5 builder secret` prints."""


@pytest.fixture
def connect(docker_engine: Engine) -> Iterator[LateEngine]:
    with connected(docker_engine) as late:
        yield late


def pushing(registry: Registry | Proxy, cache: Path, connect: LateEngine, **options: Any) -> PushingBuilder:
    address = registry.url.partition("://")[2]
    options.setdefault("mirrors", {"docker.io": registry.url})
    options.setdefault("first_pause", 0.01)
    return PushingBuilder(f"{registry.url}/pointsman", f"{address}/pointsman", cache, connect=connect, **options)


def spec_at(proxy: Proxy, **changes: Any) -> ImageSpec:
    return spec_for(Registry(proxy.url.partition("://")[2], Path(), None), **changes)  # type: ignore[arg-type]


def test_an_image_is_pushed_and_found_by_whoever_looks(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    spec = spec_for(registry, shim=True)
    with pushing(registry, tmp_path / "cache", connect) as builder, builder_for(registry, tmp_path / "other") as other:
        assert builder.find(spec) is None
        image = builder.build(spec, CODE, silent)
        code = MemoryCode(CODE.files, CODE.modes)
        assert builder.build(spec, code, silent) == builder.find(spec) == other.find(spec) == image
        assert code.reads == []
    assert image.base_digest.startswith("sha256:")
    assert tree_at(registry, image)["valohai/code/serve.py"][3] == b"print('hello')\n"
    assert config_at(registry, image)["config"]["Cmd"] == ["sh", "-c", "python serve.py"]


def test_a_new_line_of_code_pushes_the_code_alone(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    changed = MemoryCode({**CODE.files, "serve.py": b"print('pushed again')\n"}, CODE.modes)
    spec = spec_for(registry, shim=True)
    with pushing(registry, tmp_path / "cache", connect) as builder:
        first = builder.build(spec, CODE, silent)
        second = builder.build(replace(spec, code=changed.tree), changed, silent)
    layers = [[layer["digest"] for layer in manifest_at(registry, image)["layers"]] for image in (first, second)]
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]


def test_a_base_of_another_registry_is_pulled_and_pushed(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    with running_registry(tmp_path / "elsewhere") as elsewhere:
        digest = push_base(elsewhere.url, trees=[{**DEBIAN, "etc/elsewhere": b"1"}], run={**RUN, "User": "1000"})
        spec = spec_for(registry, base=f"{elsewhere.address}/library/python:3.11")
        with pushing(registry, tmp_path / "cache", connect) as builder:
            image = builder.build(spec, CODE, silent)
    assert image.base_digest == digest
    tree = tree_at(registry, image)
    assert tree["etc/elsewhere"][3] == b"1"
    assert tree["valohai/code/serve.py"][2] == (1000, 0)


def test_an_image_counts_only_once_it_says_what_it_is(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    spec = spec_for(registry, command="python unfinished.py")

    def end_once_pushed(what: str, done: int, total: int) -> None:
        if registry.tags(PROJECT):
            raise Transient("ended")

    with pushing(registry, tmp_path / "cache", connect) as builder:
        with pytest.raises(Transient, match="ended"):
            builder.build(spec, CODE, end_once_pushed)
        assert registry.tags(PROJECT) == [spec.tag], "the Engine itself has pushed"
        assert builder.find(spec) is None
        assert builder.build(spec, CODE, silent) == builder.find(spec)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Registry]:
    """A registry with a base that was pushed before it was guarded."""
    (tmp_path / "passwords").write_text(PASSWORDS)
    with running_registry(tmp_path / "registry") as open_to_all:
        push_base(open_to_all.url)
    options = f"auth: {{htpasswd: {{realm: test, path: {tmp_path / 'passwords'}}}}}"
    with running_registry(tmp_path / "registry", options) as running:
        yield running


def credentials_for(registry: Registry, login: str) -> Credentials:
    auth = base64.b64encode(login.encode()).decode()
    return parse_docker_config(json.dumps({"auths": {registry.address: {"auth": auth}}}), "config.json")


def test_the_engine_shows_the_controllers_login(connect: LateEngine, guarded: Registry, tmp_path: Path) -> None:
    spec = spec_for(guarded, command="python guarded.py")
    with pushing(guarded, tmp_path / "cache", connect, credentials=credentials_for(guarded, "builder:secret")) as builder:
        assert builder.build(spec, CODE, silent) == builder.find(spec)


def test_a_refused_push_says_how_to_log_in(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    with running_proxy(registry.address) as proxy:
        wanted = Fault(401, {"www-authenticate": 'Basic realm="test"'})
        proxy.choose = lambda method, path, before: wanted if path == "/v2/" else None
        builder = pushing(proxy, tmp_path / "cache", connect)
        spec = spec_at(proxy, command="python refused.py", base=f"{registry.address}/library/python:3.11")
        with builder, pytest.raises(Forbidden, match=r"cannot push the image of .*: no basic auth credentials") as caught:
            builder.build(spec, CODE, silent)
    assert "docker login" in (caught.value.hint or "")
    assert registry.tags(PROJECT) == []


def test_a_registry_that_limits_pulls_is_asked_again_later(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    push_base(registry.url, repository="me/limited", trees=[{**DEBIAN, "etc/limited": b"1"}])
    with running_proxy(registry.address) as proxy:
        body = json.dumps(
            {"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}]}
        ).encode()
        spec = spec_for(registry, base=f"{proxy.url.partition('://')[2]}/me/limited:3.11")
        limited = Fault(429, {"content-type": "application/json"}, body)
        proxy.choose = lambda method, path, before: limited if "/me/limited/blobs/" in path and before else None
        with pushing(registry, tmp_path / "cache", connect) as builder:
            with pytest.raises(Transient, match=r"cannot pull the base image .*limited"):
                builder.build(spec, CODE, silent)
            proxy.choose = lambda method, path, before: None
            assert builder.build(spec, CODE, silent) == builder.find(spec)


def test_cleaning_gives_the_engines_disk_back_and_harms_no_image(
    connect: LateEngine, registry: Registry, tmp_path: Path
) -> None:
    spec = spec_for(registry, command="python cleaned.py")
    with pushing(registry, tmp_path / "cache", connect) as builder:
        image = builder.build(spec, CODE, silent)
        name = f"{registry.address}/{PROJECT}:{spec.tag}"
        assert name in [tag for found in connect().api.images() for tag in found["RepoTags"] or ()]
        builder.clean(1e12)
        assert name not in [tag for found in connect().api.images() for tag in found["RepoTags"] or ()]
        assert builder.find(spec) == image
        changed = replace(spec, command="python after.py")
        assert builder.build(changed, CODE, silent) == builder.find(changed)


def test_a_full_disk_of_the_engine_is_said_and_may_be_emptied(registry: Registry, tmp_path: Path) -> None:
    code = MemoryCode({"serve.py": b"", "model": bytes(48 << 20)})
    with running_engine(tmp_path / "engine", size="32m") as engine, connected(engine) as connect:
        builder = pushing(registry, tmp_path / "cache", connect)
        with builder, pytest.raises(Transient, match="no space left on device") as caught:
            builder.build(spec_for(registry, code), code, silent)
        assert "docker system prune" in (caught.value.hint or "")
        small = MemoryCode({"serve.py": b"1"})
        with pushing(registry, tmp_path / "cache", connect) as builder:
            assert builder.build(spec_for(registry, small), small, silent)


CONFIGURATION = """\
format: 1
sources: {{mnist: {{repository: "file:///mnist", grants: {{projects: [ruksi/mnist]}}}}}}
targets:
  us:
    kubernetes: {{}}
    gateway: {{url: "http://127.0.0.1:1"}}
    registry: {{url: "{url}/pointsman", insecure: true, builder: docker}}
"""


def test_the_configuration_chooses_this_builder(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    text = CONFIGURATION.format(url=registry.url)
    configuration = load_configuration(text.encode(), tmp_path / "controller.yaml", state_home=tmp_path).configuration
    assert configuration
    settings = configuration.targets["us"].registry
    assert settings
    spec = spec_for(registry, base=f"{registry.address}/library/python:3.11", command="python configured.py")
    with registry_builder(settings, "root-bounded", configuration, connect) as builder:
        assert builder.build(spec, CODE, silent) == builder.find(spec)
    names = [tag for found in connect().api.images() for tag in found["RepoTags"] or ()]
    assert f"{registry.address}/{PROJECT}:{spec.tag}" in names


def test_something_else_than_one_image_is_refused() -> None:
    spec = ImageSpec("r/p", "b", "linux/amd64", CODE.tree, "c", 8000)
    with pytest.raises(Stalled, match="no image of one platform") as caught:
        annotated({"manifests": [{"digest": "sha256:1"}]}, spec, (), Base())
    assert "append" in (caught.value.hint or "")
