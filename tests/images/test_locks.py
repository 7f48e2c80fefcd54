"""Images of projects with `uv.lock`: exactly what it names, from where it says, without a network for anything else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from base_images import push_base
from image_examples import MemoryCode, builder_at, silent, spec_of, unpacker_at
from package_index import PackageIndex, running_index, wheel
from registry_images import builder_for, manifest_at, spec_for, tree_at
from registry_server import Registry
from uv import find_uv_bin

from controller.model.configuration import PackageIndex as Configured
from controller.model.errors import Stalled
from controller.model.identity import content_hash
from controller.model.images import FORMAT, Image

pytestmark = pytest.mark.contract

BACKEND = b"import pathlib\npathlib.Path('ran').touch()\n"
ENVIRONMENT = {"PATH": os.environ["PATH"], "UV_HTTP_RETRIES": "0"}


def project(dependencies: str, more: str = "") -> str:
    return f'[project]\nname = "served"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = [{dependencies}]\n{more}'


@pytest.fixture
def public() -> Iterator[PackageIndex]:
    with running_index(wheel("alpha", "1.0", "beta"), wheel("beta", "1.0"), wheel("gunicorn", "27.0.1")) as index:
        yield index


class Locking:
    """Locks a project as a developer does, against an index on loopback."""

    def __init__(self, directory: Path, index: PackageIndex) -> None:
        self.directory = directory
        self.index = index

    def code(self, pyproject: str, **files: bytes) -> MemoryCode:
        """The code with its lock."""
        paths = files
        for path, data in {"pyproject.toml": pyproject.encode(), **paths}.items():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_bytes(data)
        command = [find_uv_bin(), "lock", "--no-config", "--no-python-downloads", "--default-index", self.index.url]
        environment = {**ENVIRONMENT, "UV_CACHE_DIR": str(self.directory.with_name("cache-of-developer"))}
        done = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lock = (self.directory / "uv.lock").read_bytes()
        return MemoryCode({"serve.py": b"", "pyproject.toml": pyproject.encode(), "uv.lock": lock, **paths})


@pytest.fixture
def locking(public: PackageIndex, tmp_path: Path) -> Locking:
    directory = tmp_path / "project"
    directory.mkdir()
    return Locking(directory, public)


def build(
    registry: Registry, cache: Path, code: MemoryCode, configured: dict[str, Configured] | None = None, **spec: object
) -> Image:
    with builder_for(registry, cache, environment=ENVIRONMENT, indexes=configured) as builder:
        return builder.build(spec_for(registry, code, locked=True, **spec), code, silent)


def installed(registry: Registry, image: Image) -> str:
    return str(manifest_at(registry, image)["annotations"]["pointsman.dev/distributions"])


def test_what_is_locked_is_installed_although_there_is_newer(locking: Locking, registry: Registry, tmp_path: Path) -> None:
    code = locking.code(project('"alpha"', '[dependency-groups]\ndev = ["gunicorn"]\n'))
    locking.index.files.update([wheel("alpha", "2.0"), wheel("beta", "2.0")])
    image = build(registry, tmp_path / "cache", code)
    assert installed(registry, image) == "alpha==1.0 beta==1.0"
    mirror = {"mirror": Configured("mirror", locking.index.url, is_default=True)}
    served = build(registry, tmp_path / "cache", code, mirror, wsgi=True)
    assert installed(registry, served) == "alpha==1.0 beta==1.0 gunicorn==27.0.1"


def test_two_builders_give_one_digest(locking: Locking, registry: Registry, tmp_path: Path) -> None:
    code = locking.code(project('"alpha"'))
    first = build(registry, tmp_path / "one", code)
    elsewhere = f"{registry.address}/pointsman/ruksi/other"
    before = os.umask(0o077)
    try:
        second = build(registry, tmp_path / "a longer place" / ("x" * 100), code, repository=elsewhere)
    finally:
        os.umask(before)
    assert first.digest == second.digest


def test_group_for_deployment_is_installed_in_place_of_the_rest(locking: Locking, registry: Registry, tmp_path: Path) -> None:
    code = locking.code(project('"alpha"', '[dependency-groups]\ndeployment = ["beta"]\ndev = ["gunicorn"]\n'))
    assert installed(registry, build(registry, tmp_path / "cache", code)) == "beta==1.0"


def test_key_follows_the_lock_and_nothing_else_changed_it(locking: Locking, registry: Registry) -> None:
    code = locking.code(project('"beta"'))
    plain, locked = spec_for(registry, code), spec_for(registry, code, locked=True)
    other = MemoryCode({**code.files, "uv.lock": code.files["uv.lock"] + b"\n"})
    assert len({plain.key, locked.key, spec_for(registry, other, locked=True).key}) == 3
    config = [plain.command, plain.port, plain.wsgi, plain.shim]
    tree = [plain.code.path, [list(entry) for entry in plain.code.entries]]
    assert plain.key == content_hash([FORMAT, plain.base, plain.platform, tree, [], None, config], 40)
    assert replace(locked, indexes=("company",)).key == locked.key


def test_nothing_of_the_project_runs(locking: Locking, registry: Registry, tmp_path: Path) -> None:
    builds = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    foreign = f'[tool.uv]\ncache-dir = "{tmp_path / "foreign"}"\nrequired-version = ">=99"\n'
    code = locking.code(project('"beta"'))
    code = MemoryCode({**code.files, "pyproject.toml": project('"beta"', builds + foreign).encode(), "backend.py": BACKEND})
    assert installed(registry, build(registry, tmp_path / "cache", code)) == "beta==1.0"
    assert not list(tmp_path.rglob("ran"))
    assert not (tmp_path / "foreign").exists()


OWN = b"""\
[project]
name = "own"
version = "1"
requires-python = ">=3.9"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
OWN_BACKEND = b"""\
import zipfile

def build_wheel(directory, settings=None, metadata=None):
    with zipfile.ZipFile(directory + "/own-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("own.py", "text = 'copied'")
        wheel.writestr("own-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1\\n")
        wheel.writestr("own-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("own-1.dist-info/RECORD", "")
    return "own-1-py3-none-any.whl"
"""


def test_part_of_the_code_is_a_copy_here_and_refused_in_a_container(
    locking: Locking, registry: Registry, tmp_path: Path
) -> None:
    workspace = '[tool.uv.sources]\nown = {workspace = true}\n[tool.uv.workspace]\nmembers = ["libs/*"]\n'
    code = locking.code(
        project('"own", "beta"', workspace), **{"libs/own/pyproject.toml": OWN, "libs/own/backend.py": OWN_BACKEND}
    )
    with pytest.raises(Stalled, match=r"uv\.lock: `-e \./libs/own` wants a package built") as caught:
        build(registry, tmp_path / "cache", code)
    assert "as a wheel" in (caught.value.hint or "")
    here = tmp_path / "here"
    image = builder_at(here, environment=ENVIRONMENT).build(spec_of(code, locked=True), code, silent)
    packages = unpacker_at(here).unpack(image.reference).packages
    assert packages
    assert (packages / "own.py").read_text() == "text = 'copied'"
    assert (packages / "beta.py").exists()


def test_lock_of_another_python_is_refused(locking: Locking, registry: Registry, tmp_path: Path) -> None:
    code = locking.code(project('"beta"'))
    push_base(registry.url, "library/python", "3.8", run={"Env": ["PYTHON_VERSION=3.8.20"]})
    with pytest.raises(Stalled, match=r"uv\.lock is for Python >=3\.9, and the image's is 3\.8") as caught:
        build(registry, tmp_path / "cache", code, base="python:3.8")
    assert "uv lock" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"uv.lock": b"version https://git-lfs.github.com/spec/v1\n"}, r"uv\.lock cannot be read"),
        ({"uv.lock": b"version = 99\n"}, r"unsupported schema version"),
        ({"pyproject.toml": b"[project\n"}, r"pyproject\.toml cannot be read"),
        ({"pyproject.toml": None}, r"no pyproject\.toml beside it"),
        ({"pyproject.toml": project("", "[dependency-groups]\ndeployment = []\n").encode()}, "`deployment` is not defined"),
    ],
)
def test_lock_that_cannot_be_used_says_why(
    locking: Locking, registry: Registry, tmp_path: Path, changed: dict[str, bytes | None], words: str
) -> None:
    code = locking.code(project('"beta"'))
    files = {path: data for path, data in {**code.files, **changed}.items() if data is not None}
    with pytest.raises(Stalled, match=words) as caught:
        build(registry, tmp_path / "cache", MemoryCode(files))
    assert caught.value.hint
    assert str(tmp_path) not in str(caught.value)


def test_each_package_comes_from_the_index_that_the_lock_names(locking: Locking, registry: Registry, tmp_path: Path) -> None:
    """The same name and version elsewhere is another package, and a name that only the private index has is told nobody."""
    sources = '[tool.uv.sources]\nalpha = {{index = "own"}}\n[[tool.uv.index]]\nname = "own"\nurl = "{}"\nexplicit = true\n'
    with running_index(wheel("alpha", "1.0", "beta", text="own"), wheel("beta", "1.0", text="other")) as private:
        code = locking.code(project('"alpha"', sources.format(private.url)))
        locking.index.asked.clear()
        company = Configured("company", private.url)
        configured = {"company": company, "mirror": Configured("mirror", locking.index.url, is_default=True)}
        image = build(registry, tmp_path / "cache", code, configured, indexes=("company",))
        packages = {
            path: entry[3] for path, entry in tree_at(registry, image).items() if path.endswith(("alpha.py", "beta.py"))
        }
        assert packages["opt/pointsman/python/alpha.py"] == b"text = 'own'\n"
        assert packages["opt/pointsman/python/beta.py"] == b"text = '1.0'\n"
        assert not [path for path, _ in locking.index.asked if "alpha" in path]
        again = build(registry, tmp_path / "account", code, repository=f"{registry.address}/pointsman/ruksi/other")
        assert again.digest == image.digest
        with pytest.raises(Stalled, match="alpha") as caught:
            build(registry, tmp_path / "cache", code, configured, port=9000)
        assert "Hash mismatch" in str(caught.value)
        assert f"uv.lock names {private.url}, which its source may not use" in (caught.value.hint or "")


def test_other_bytes_than_the_lock_says_are_refused(locking: Locking, registry: Registry, tmp_path: Path) -> None:
    code = locking.code(project('"beta"'))
    locking.index.files.update([wheel("beta", "1.0", text="changed")])
    with pytest.raises(Stalled, match=r"Hash mismatch for `beta==1\.0`") as caught:
        build(registry, tmp_path / "cache", code)
    assert "hashes" in (caught.value.hint or "")
