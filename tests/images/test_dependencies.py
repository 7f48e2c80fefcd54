"""Requirements installed from the package index: the same bytes every time, and errors in the installer's own words."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from image_examples import CODE, LOCKED, MemoryCode, builder_at, members_of, silent, spec_of, tree_of, unpacker_at

from controller.images.host import host_base, python_version
from controller.images.installed import installed_members
from controller.images.installer import Installer, Python, Wanted, installing_environment
from controller.images.installer_words import failure
from controller.images.layout import Layout
from controller.model.errors import Stalled, Transient
from controller.model.images import Image, ImageSpec

pytestmark = pytest.mark.contract

HERE = Python(python_version(), host_base())
GREETING = b"""\
[project]
name = "greeting"
version = "1.0"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
SLOW = b"""\
[project]
name = "slow"
version = "1.0"
[build-system]
requires = []
build-backend = "slow_backend"
backend-path = ["."]
"""


def build(root: Path, spec: ImageSpec, code: MemoryCode = CODE) -> Image:
    return builder_at(root).build(spec, code, silent)


def packages_of(root: Path, spec: ImageSpec, code: MemoryCode = CODE) -> Path:
    packages = unpacker_at(root).unpack(build(root, spec, code).reference).packages
    assert packages is not None
    return packages


def run(packages: Path, *command: str) -> str:
    environment = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(packages),
        "PATH": f"{packages / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_installed_packages_can_be_used(tmp_path: Path) -> None:
    packages = packages_of(tmp_path, spec_of(requirements=LOCKED))
    assert run(packages, "python3", "-c", "import click, six; print(click.__file__)").startswith(str(packages))


def test_locked_requirements_give_the_same_bytes_everywhere(tmp_path: Path) -> None:
    spec = spec_of(requirements=LOCKED, wsgi=True)
    first = build(tmp_path / "one", spec)
    before = os.umask(0o077)
    try:
        second = build(tmp_path / "a much longer place with spaces" / ("x" * 150), spec)
    finally:
        os.umask(before)
    assert first.digest == second.digest


def test_layer_names_no_path_no_time_and_no_installer(tmp_path: Path) -> None:
    image = build(tmp_path, spec_of(requirements=LOCKED, wsgi=True))
    document = Layout(tmp_path / "layout").read(image.digest)
    assert document is not None
    archive = Layout(tmp_path / "layout").blob(document["layers"][0]["digest"]).read_bytes()
    for path in (tmp_path, Path(sys.prefix), Path(sys.base_prefix)):
        assert str(path).encode() not in archive
    names = [entry.name for entry in members_of(archive)]
    assert all(name.startswith("opt/pointsman/python/") for name in names[1:])
    endings = (".pyc", "INSTALLER", "REQUESTED", "direct_url.json", ".lock")
    assert not [name for name in names if name.endswith(endings) or "__pycache__" in name]
    assert document["annotations"]["pointsman.dev/distributions"] == "click==8.1.7 gunicorn==27.0.1 six==1.16.0"


def test_scripts_run_with_the_python_on_the_path(tmp_path: Path) -> None:
    packages = packages_of(tmp_path, spec_of(wsgi=True))
    assert (packages / "bin/gunicorn").read_text().startswith("#!/usr/bin/env python3\n")
    assert "gunicorn" in run(packages, "gunicorn", "--version")


def test_distributions_still_know_their_files(tmp_path: Path) -> None:
    packages = packages_of(tmp_path, spec_of(requirements="six==1.16.0", wsgi=True))
    listing = "import importlib.metadata as m; print(*[f for f in m.files({!r})], sep='\\n')"
    for name in ("six", "gunicorn"):
        listed = run(packages, "python3", "-c", listing.format(name)).split("\n")[:-1]
        assert listed
        assert not [path for path in listed if not (packages / path).exists()]


def test_own_server_of_the_code_wins(tmp_path: Path) -> None:
    spec = spec_of(requirements="gunicorn==23.0.0", wsgi=True)
    assert "23.0.0" in run(packages_of(tmp_path, spec), "gunicorn", "--version")


def test_images_with_equal_requirements_share_one_directory(tmp_path: Path) -> None:
    first = packages_of(tmp_path, spec_of(requirements="six==1.16.0"))
    assert packages_of(tmp_path, spec_of(requirements="six==1.16.0", command="other", port=9)) == first


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n"])
def test_without_requirements_there_is_no_layer(tmp_path: Path, text: str) -> None:
    image = build(tmp_path, spec_of(requirements=text))
    assert unpacker_at(tmp_path).unpack(image.reference).packages is None


def test_includes_and_constraints_come_from_the_code(tmp_path: Path) -> None:
    code = MemoryCode({"app.py": b"", "deps/base.txt": b"-c limits.txt\nsix\n", "deps/limits.txt": b"six<1.17\n"})
    packages = packages_of(tmp_path, spec_of(code, requirements="-r deps/base.txt\n"), code)
    assert [path.name for path in packages.glob("six-*")] == ["six-1.16.0.dist-info"]


def test_changed_include_is_another_layer(tmp_path: Path) -> None:
    first = MemoryCode({"base.txt": b"six==1.16.0\n"})
    second = MemoryCode({"base.txt": b"six==1.15.0\n"})
    found = [packages_of(tmp_path, spec_of(code, requirements="-r base.txt"), code) for code in (first, second)]
    assert [next(path.glob("six-*")).name for path in found] == ["six-1.16.0.dist-info", "six-1.15.0.dist-info"]


def test_part_of_the_code_is_installed_as_a_copy(tmp_path: Path) -> None:
    code = MemoryCode({"lib/pyproject.toml": GREETING, "lib/greeting/__init__.py": b"text = 'hello'\n"})
    spec = spec_of(code, requirements="-e ./lib\n")
    packages = packages_of(tmp_path / "one", spec, code)
    assert run(packages, "python3", "-c", "import greeting; print(greeting.text)") == "hello\n"
    assert str(tmp_path) not in "".join(str(content) for content in tree_of(packages).values())
    assert tree_of(packages) == tree_of(packages_of(tmp_path / "two", spec, code))


@pytest.mark.parametrize(
    ("requirements", "words", "hint"),
    [
        ("six==99.0", "six==99.0", "name or the version"),
        ("tensorflow==1.15", "no wheels", "no wheel fits"),
        ("this is no requirement", "this is no requirement", "correct this line"),
        (f"six==1.16.0 --hash=sha256:{'0' * 64}", "Hash mismatch", "renew the hashes"),
    ],
)
def test_refusal_carries_the_installers_words_and_a_next_step(tmp_path: Path, requirements: str, words: str, hint: str) -> None:
    with pytest.raises(Stalled, match=words) as caught:
        build(tmp_path, spec_of(requirements=requirements))
    assert hint in (caught.value.hint or "")
    assert str(tmp_path) not in str(caught.value)
    assert not list((tmp_path / "cache" / "scratch").iterdir())


def test_unreachable_index_is_worth_another_try(tmp_path: Path) -> None:
    environment = {**os.environ, "UV_HTTP_RETRIES": "0"}
    builder = builder_at(tmp_path, environment=environment)
    spec = spec_of(requirements="--index-url https://somebody:hunter2@127.0.0.1:1/simple\nsix==1.16.0\n")
    with pytest.raises(Transient) as caught:
        builder.build(spec, CODE, silent)
    assert "hunter2" not in str(caught.value)
    assert "network" in (caught.value.hint or "")


def test_giving_up_ends_the_installer_and_what_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    setup = f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    code = MemoryCode({"lib/pyproject.toml": SLOW, "lib/slow_backend.py": setup.encode()})

    def give_up_once_it_builds(what: str, done: int, total: int) -> None:
        if pid_file.exists() and pid_file.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builder_at(tmp_path).build(spec_of(code, requirements="./lib"), code, give_up_once_it_builds)
    status = Path(f"/proc/{pid_file.read_text()}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_installation_has_a_deadline(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/pyproject.toml").write_bytes(SLOW)
    (tmp_path / "lib/slow_backend.py").write_text("import time\ntime.sleep(600)\n")
    (tmp_path / "requirements.txt").write_text("./lib\n")
    installer = Installer(timeout=0.5)
    with pytest.raises(Transient, match=r"took longer than 0\.5 s"):
        installer.install(Wanted([tmp_path / "requirements.txt"], tmp_path), tmp_path / "target", HERE, lambda: None)


def test_installation_sees_no_secret_of_the_environment() -> None:
    environment = {
        "PATH": "/bin",
        "HOME": "/root",
        "UV_INDEX_URL": "x",
        "https_proxy": "y",
        "GITHUB_TOKEN": "s",
        "KUBECONFIG": "k",
    }
    assert set(installing_environment(environment)) == {"PATH", "HOME", "UV_INDEX_URL", "https_proxy"}


def test_link_in_a_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(Stalled, match="symbolic link link"):
        installed_members(tmp_path, "/opt/pointsman/python")


def test_long_interpreter_path_is_rewritten_too(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = "#!/bin/sh\n'''exec' '/a b/python3' \"$0\" \"$@\"\n' '''\nimport six\n"
    (tmp_path / "bin/tool").write_text(script)
    (tmp_path / "bin/shell").write_text("#!/bin/sh\necho python\n")
    shell, tool = installed_members(tmp_path, "/opt/pointsman/python")
    assert b"".join(tool.blocks()) == b"#!/usr/bin/env python3\nimport six\n"
    assert b"".join(shell.blocks()) == b"#!/bin/sh\necho python\n"


def test_broken_list_of_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "x-1.dist-info").mkdir()
    (tmp_path / "x-1.dist-info/RECORD").write_bytes(b"\xff\xfe")
    with pytest.raises(Stalled, match=r"x-1\.dist-info/RECORD, which is no list of files"):
        installed_members(tmp_path, "/opt/pointsman/python")


def test_program_in_bin_is_not_rewritten(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/program").write_bytes(b"\x7fELF#!/usr/bin/python\n" + bytes(3 << 20))
    (program,) = installed_members(tmp_path, "/opt/pointsman/python")
    assert b"".join(program.blocks()) == (tmp_path / "bin/program").read_bytes()


def test_silent_failure_still_says_something() -> None:
    assert "uv said nothing" in str(failure(""))


def test_long_failure_keeps_its_first_words_and_its_last() -> None:
    told = str(failure("error: no wheels of native\n" + "between\n" * 5000 + "hint: only for cp39\n"))
    assert "error: no wheels of native\n" in told
    assert "hint: only for cp39" in told
    assert len(told) < 4000


def test_an_installation_says_for_whom_it_is(tmp_path: Path) -> None:
    said: list[str] = []
    spec = replace(spec_of(requirements=LOCKED), name="20181002.0/greet-me")
    builder_at(tmp_path).build(spec, CODE, lambda what, _done, _total: said.append(what))
    assert "installing requirements of 20181002.0/greet-me" in said
    assert spec.key == spec_of(requirements=LOCKED).key


def test_what_tells_where_uv_is_was_read_before_any_thread_began() -> None:
    """Python 3.11's sysconfig fills its variables without a lock: who asks meanwhile gets None for some."""
    code = "import sysconfig, controller.images.installer; print('EXE' in (sysconfig._CONFIG_VARS or {}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_a_cache_of_its_own_is_emptied_once_in_a_while_and_used_again(tmp_path: Path) -> None:
    cache, tree = tmp_path / "uv", tmp_path / "tree"
    tree.mkdir()
    (tree / "requirements.txt").write_text("six==1.16.0\n")
    installer = Installer(environment={k: v for k, v in os.environ.items() if k != "UV_CACHE_DIR"}, cache=cache)
    wheels = ["--only-binary", ":all:"]
    other = tmp_path / "uv-of-other-indexes" / "CACHEDIR.TAG"
    other.parent.mkdir()
    other.touch()
    os.utime(other, (0, 0))
    for turn in ("first", "second"):
        target = tmp_path / turn / "target"
        target.parent.mkdir()
        installer.install(Wanted([tree / "requirements.txt"], tree, wheels), target, HERE, lambda: None)
        assert (target / "six.py").exists()
        assert list(cache.rglob("six.py"))
        installer.prune(0.0)
        assert list(cache.rglob("six.py")), "it was made just now"
        assert other.stat().st_mtime > 0, "and what is kept apart for other sources was looked at too"
        mark = cache / "CACHEDIR.TAG"
        installer.prune(mark.stat().st_mtime)
        assert not list(cache.rglob("six.py"))
        assert (target / "six.py").exists(), "what was installed is its own"
