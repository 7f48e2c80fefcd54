"""Images with packages of indexes that the configuration grants: a real registry, real indexes, a password that never shows."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from base_images import DEBIAN, push_base
from image_examples import MemoryCode, silent
from package_index import PackageIndex, running_index, wheel
from registry_images import builder_for, manifest_at, spec_for, tree_at
from registry_server import Registry

from controller.cli.running.cluster_target import ClusterTargets
from controller.loading.configuration import load_configuration
from controller.model.configuration import PackageIndex as Configured
from controller.model.errors import Stalled, Transient
from controller.model.images import Image

pytestmark = pytest.mark.contract

PASSWORD = "p${HOME}w/s3@cret:%41"
QUOTED = "p%24%7BHOME%7Dw%2Fs3%40cret%3A%2541"
CODE = MemoryCode({"serve.py": b"print('hello')\n"})
GRANTED = ("company",)


@pytest.fixture
def public() -> Iterator[PackageIndex]:
    """What takes the place of the public index."""
    with running_index(wheel("beta", "2.0"), wheel("alpha", "9.9", text="confused")) as index:
        yield index


@pytest.fixture
def private() -> Iterator[PackageIndex]:
    with running_index(wheel("alpha", "1.0", "beta"), login=f"pointsman:{PASSWORD}") as index:
        yield index


@pytest.fixture
def configured(private: PackageIndex, public: PackageIndex, tmp_path: Path) -> dict[str, Configured]:
    file = tmp_path / "secret" / "password"
    file.parent.mkdir()
    file.write_text(f"{PASSWORD}\n")
    company = Configured("company", private.url, username="pointsman", password=file)
    return {"company": company, "mirror": Configured("mirror", public.url, is_default=True)}


class Setup:
    """A builder over a registry, with what a test of these varies."""

    def __init__(self, registry: Registry, cache: Path, indexes: Mapping[str, Configured] | None, **environment: str) -> None:
        self.registry = registry
        self.cache = cache
        fast = {"PATH": os.environ["PATH"], "UV_HTTP_RETRIES": "0", **environment}
        self.builder = builder_for(registry, cache, indexes=indexes, environment=fast)

    def build(self, requirements: str | None, code: MemoryCode = CODE, progress: Any = silent, **changes: Any) -> Image:
        changes.setdefault("indexes", GRANTED)
        return self.builder.build(spec_for(self.registry, code, requirements=requirements, **changes), code, progress)

    def installed(self, image: Image) -> str:
        return str(manifest_at(self.registry, image)["annotations"]["pointsman.dev/distributions"])


@pytest.fixture
def setup(registry: Registry, configured: dict[str, Configured], tmp_path: Path) -> Iterator[Setup]:
    made = Setup(registry, tmp_path / "cache", configured)
    with made.builder:
        yield made


def texts_below(*roots: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file with its bytes, unpacked where they are an archive of ours."""
    for path in (path for root in roots for path in root.rglob("*") if path.is_file()):
        data = path.read_bytes()
        with suppress(gzip.BadGzipFile, EOFError, zlib.error):
            data += gzip.decompress(data)
        yield path, data


def test_packages_come_from_a_private_index_and_its_password_is_nowhere(
    setup: Setup, private: PackageIndex, public: PackageIndex, tmp_path: Path
) -> None:
    seen: list[bytes] = []

    def look(what: str, done: int, total: int) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (process / "cmdline").read_bytes()
                seen.extend([command, (process / "environ").read_bytes()] if b"/uv\0" in command else [])

    image = setup.build("alpha\n", progress=look)
    assert setup.installed(image) == "alpha==1.0 beta==2.0"
    assert private.asked
    assert public.logins == {None}
    assert any(b"--config-file" in text for text in seen)
    everything = [*texts_below(setup.cache, setup.registry.storage), *((Path("/proc"), text) for text in seen)]
    leaks = [path for path, data in everything if any(word.encode() in data for word in (PASSWORD, QUOTED, "s3@cret"))]
    assert leaks == []


def test_an_index_of_the_configuration_is_asked_before_the_public_one(setup: Setup) -> None:
    assert b"'1.0'" in tree_at(setup.registry, setup.build("alpha\n"))["opt/pointsman/python/alpha.py"][3]  # type: ignore[operator]


def test_the_password_is_read_at_every_use(setup: Setup, configured: dict[str, Configured]) -> None:
    file = configured["company"].password
    assert file
    file.write_text("w-r-o-n-g")
    with pytest.raises(Stalled, match="valid authentication credentials") as caught:
        setup.build("alpha\n")
    assert str(file) in (caught.value.hint or "")
    assert "`company`" in (caught.value.hint or "")
    assert "w-r-o-n-g" not in str(caught.value)
    file.unlink()
    with pytest.raises(Transient, match="`company` cannot be read"):
        setup.build("alpha\n")
    file.write_text("\n")
    with pytest.raises(Transient, match="`company` is empty"):
        setup.build("alpha\n")
    file.write_text(PASSWORD)
    assert setup.build("alpha\n")


def test_an_index_without_a_password_that_wants_one(
    registry: Registry, private: PackageIndex, public: PackageIndex, tmp_path: Path
) -> None:
    indexes = {"company": Configured("company", private.url), "mirror": Configured("mirror", public.url, is_default=True)}
    setup = Setup(registry, tmp_path / "cache", indexes)
    with setup.builder, pytest.raises(Stalled) as caught:
        setup.build("alpha\n")
    assert "add `credentials` to `dependencies.indexes.company`" in (caught.value.hint or "")


@pytest.mark.parametrize("part", ["/simple/", "/files/"])
def test_the_password_follows_no_redirect_to_another_host(setup: Setup, private: PackageIndex, part: str) -> None:
    with running_index(*private.files.items()) as other:
        private.redirects[part] = f"http://localhost:{other.server_port}"
        assert setup.installed(setup.build("alpha\n")) == "alpha==1.0 beta==2.0"
        assert other.logins == {None}
    assert None not in private.logins


def test_who_is_not_granted_an_index_gets_nothing_of_it(setup: Setup, private: PackageIndex) -> None:
    setup.build("alpha==1.0\n")
    private.asked.clear()
    for requirements in (
        "alpha==1.0\n",
        f"--index-url {private.url}\nalpha==1.0\n",
        f"--extra-index-url {private.url}/\nalpha\n",
    ):
        with pytest.raises(Stalled):
            setup.build(requirements, indexes=(), port=9000)
    with pytest.raises(Stalled, match=r"no version of alpha==1\.0") as caught:
        setup.build("alpha==1.0\n", indexes=(), port=9001)
    assert "asked was `mirror`" in (caught.value.hint or "")
    assert private.asked == []


def test_a_line_that_names_a_granted_index_is_no_mistake(setup: Setup, public: PackageIndex) -> None:
    requirements = f"--extra-index-url {setup_url(setup)}/\n--index-url {public.url}\nalpha\n"
    assert setup.installed(setup.build(requirements)) == "alpha==1.0 beta==2.0"


CONTROLLER = """\
format: 1
sources:
  mnist: {{repository: /srv/git/mnist.git, grants: {{projects: [ruksi/mnist], indexes: [company]}}}}
targets:
  us-east:
    kubernetes: {{}}
    gateway: {{url: "https://ml.example.com"}}
    registry: {{url: "{registry.url}/pointsman", pull: "{registry.address}/pointsman", insecure: true}}
images: {{mirrors: {{docker.io: "{registry.url}"}}}}
dependencies:
  indexes:
    company: {{url: "{private.url}", credentials: {{username: pointsman, passwordFile: password}}}}
    mirror: {{url: "{public.url}", default: true}}
"""


def test_what_the_configuration_says_is_what_a_target_builds_with(
    registry: Registry, private: PackageIndex, public: PackageIndex, tmp_path: Path
) -> None:
    file = tmp_path / "controller.yaml"
    (tmp_path / "password").write_text(PASSWORD)
    text = CONTROLLER.format(registry=registry, private=private, public=public)
    configuration = load_configuration(text.encode(), file, state_home=tmp_path / "state").configuration
    assert configuration
    settings = configuration.targets["us-east"].registry
    assert settings
    targets = ClusterTargets(configuration)
    try:
        builder = targets._builder(settings, "none")
        spec = spec_for(registry, CODE, requirements="alpha\n", indexes=configuration.sources["mnist"].grants.indexes)
        image = builder.build(spec, CODE, silent)
    finally:
        targets.close()
    assert manifest_at(registry, image)["annotations"]["pointsman.dev/distributions"] == "alpha==1.0 beta==2.0"


def setup_url(setup: Setup) -> str:
    indexes = setup.builder._installer.indexes(GRANTED)
    assert indexes
    return indexes.indexes[0].url


def test_the_code_does_not_say_where_a_login_goes(
    setup: Setup, registry: Registry, tmp_path: Path, private: PackageIndex
) -> None:
    """uv would read the code's own configuration, and give the index of that name the login of the configured one."""
    with running_index(wheel("alpha", "6.6")) as foreign:
        named = f'[[tool.uv.index]]\nname = "company"\nurl = "{foreign.url}"\ndefault = true\n'
        code = MemoryCode({"pyproject.toml": named.encode(), "wheels/own-1.0-py3-none-any.whl": wheel("own", "1.0")[1]})
        image = setup.build("./wheels/own-1.0-py3-none-any.whl\nalpha\n", code)
        assert setup.installed(image) == "alpha==1.0 beta==2.0 own==1.0"
        index = {
            "UV_DEFAULT_INDEX": private.url,
            "UV_INDEX_COMPANY_USERNAME": "pointsman",
            "UV_INDEX_COMPANY_PASSWORD": PASSWORD,
        }
        account = Setup(registry, tmp_path / "account", None, **index)
        with account.builder, pytest.raises(Stalled):
            account.build("./wheels/own-1.0-py3-none-any.whl\nalpha\n", code, port=9000)
        assert foreign.asked == []


def test_metadata_of_a_package_cannot_make_uv_say_the_password(
    setup: Setup, private: PackageIndex, public: PackageIndex
) -> None:
    names = ("UV_INDEX_COMPANY_PASSWORD", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
    text = "".join(f"${{{name}}}" for name in names)
    public.files.update([wheel("curious", "1.0", f"x @ http://localhost:{public.server_port}/{text}/x-1.0-py3-none-any.whl")])
    with pytest.raises(Stalled, match="curious") as caught:
        setup.build("alpha\ncurious\n")
    assert "s3@cret" not in str(caught.value)
    assert not [path for path, data in texts_below(setup.cache) if PASSWORD.encode() in data or QUOTED.encode() in data]


def test_passwords_of_the_account_are_not_repeated(registry: Registry, public: PackageIndex, tmp_path: Path) -> None:
    """As before, the environment of the process may hold them; what uv says of it is not passed on."""
    public.files.update([wheel("curious", "1.0", "x @ http://localhost:1/${UV_INDEX_COMPANY_PASSWORD}/x-1.0-py3-none-any.whl")])
    environment = {"UV_DEFAULT_INDEX": public.url, "UV_INDEX_COMPANY_PASSWORD": "hunter2"}
    setup = Setup(registry, tmp_path / "cache", None, **environment)
    with setup.builder, pytest.raises(Stalled, match="curious") as caught:
        setup.build("curious\n")
    assert "hunter2" not in str(caught.value)


def test_an_index_that_does_not_answer_is_worth_another_try(setup: Setup, public: PackageIndex) -> None:
    public.fault = 503
    with pytest.raises(Transient):
        setup.build("beta\n")
    public.fault = 0
    with pytest.raises(Stalled, match="nowhere was not found") as caught:
        setup.build("nowhere\n")
    assert "asked was `company` and `mirror`" in (caught.value.hint or "")


def test_requirements_that_exclude_each_other_are_named(setup: Setup, public: PackageIndex) -> None:
    public.files.update([wheel("gamma", "1.0", "beta<2"), wheel("delta", "1.0", "beta>=2"), wheel("beta", "1.0")])
    with pytest.raises(Stalled, match=r"gamma[^\0]*delta|delta[^\0]*gamma") as caught:
        setup.build("gamma\ndelta\n")
    assert "exclude each other" in (caught.value.hint or "")


ALPINE = {"usr/local/bin/python3": "python3.12", "usr/local/bin/python3.12": b"", "lib/ld-musl-x86_64.so.1": b""}


def test_package_without_a_wheel_for_the_base_is_named_with_the_wheels_that_there_are(
    setup: Setup, public: PackageIndex, registry: Registry
) -> None:
    public.files.update([wheel("native", "1.5", tag="cp311-cp311-manylinux_2_39_x86_64")])
    with pytest.raises(Stalled, match=r"native[^\0]*`manylinux_2_39_x86_64`") as caught:
        setup.build("native==1.5\n")
    assert "no wheel fits the base image's Python 3.11 on x86_64 with glibc 2.36" in (caught.value.hint or "")
    push_base(registry.url, "library/alpine", "3", trees=[ALPINE])
    with pytest.raises(Stalled, match="native") as caught:
        setup.build("native==1.5\n", base="alpine:3")
    assert "Python 3.12 on x86_64 with musl" in (caught.value.hint or "")
    assert "not Alpine" in (caught.value.hint or "")


def test_wheels_for_another_architecture_and_an_old_python(setup: Setup, public: PackageIndex, registry: Registry) -> None:
    public.files.update(
        [
            wheel("native", "2.0", tag="cp311-cp311-manylinux_2_17_aarch64", text="arm"),
            wheel("native", "1.0", tag="cp36-cp36m-manylinux2014_x86_64", text="old"),
        ]
    )
    push_base(registry.url, "library/arm", "1", platform=("linux", "arm64"))
    arm = setup.build("native\n", base="arm:1", platform="linux/arm64")
    assert b"arm" in tree_at(registry, arm)["opt/pointsman/python/native.py"][3]  # type: ignore[operator]
    run = {"Env": ["PYTHON_VERSION=3.6.15", "PATH=/usr/local/bin:/usr/bin"]}
    push_base(registry.url, "library/python", "3.6", run=run, trees=[DEBIAN])
    old = setup.build("native\n", base="python:3.6")
    assert b"old" in tree_at(registry, old)["opt/pointsman/python/native.py"][3]  # type: ignore[operator]
    push_base(registry.url, "library/python", "2.7", run={"Env": ["PYTHON_VERSION=2.7.18"]})
    with pytest.raises(Stalled, match=r"base image's Python 2\.7") as caught:
        setup.build(None, base="python:2.7", wsgi=True)
    assert "newer Python" in (caught.value.hint or "")
    push_base(registry.url, "library/bare", "1", trees=[{"bin/sh": b""}])
    with pytest.raises(Stalled, match="no Python"):
        setup.build("native\n", base="bare:1")


def test_hashes_are_required_of_everything_once_a_line_has_one(
    setup: Setup, private: PackageIndex, public: PackageIndex
) -> None:
    alpha, beta = f"alpha==1.0 --hash={private.hash_of('alpha')}\n", "beta==2.0 --hash=sha256:" + "0" * 64 + "\n"
    with pytest.raises(Stalled, match=r"requirements-deployment\.txt:2: `beta==2\.0` has no --hash"):
        setup.build(f"{alpha}beta==2.0\n")
    with pytest.raises(Stalled, match="`beta`") as caught:
        setup.build(alpha)
    assert "lock all of it" in (caught.value.hint or "")
    with pytest.raises(Stalled, match=r"Hash mismatch for `beta==2\.0`[^\0]*" + public.hash_of("beta")) as caught:
        setup.build(alpha + beta)
    assert "renew the hashes" in (caught.value.hint or "")
    public.files.update([wheel("gunicorn", "27.0.1")])
    image = setup.build(f"{alpha}beta==2.0 --hash={public.hash_of('beta')}\n", wsgi=True)
    assert setup.installed(image) == "alpha==1.0 beta==2.0 gunicorn==27.0.1"
