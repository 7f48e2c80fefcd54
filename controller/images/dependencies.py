"""The dependency layer: what a version's requirements install, without its name, place or time of installation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from controller.images.build import Build
from controller.images.installations import FromLock, FromRequirements
from controller.images.installed import installed_distributions, installed_members
from controller.images.installer import Installer, Python
from controller.images.layers import Contents, Layer, LayerKind
from controller.images.locked import PROJECT, Lock
from controller.images.paths import layer_path
from controller.images.requirement_lines import LOCK
from controller.images.requirements import MAIN, PLAIN, Requirements, collect
from controller.model.errors import Stalled
from controller.model.images import OWN_DIRECTORY

PACKAGES = f"{OWN_DIRECTORY}/python"
"""Where the packages lie in an image: one directory for `sys.path`, its scripts in `bin`."""

_LARGEST = 1 << 20
_LARGEST_LOCK = 1 << 24
_OF_TOOLS = ("uv.toml", PROJECT)
"""Files of the code that would tell uv where packages come from, whoever runs it."""


def dependency_layer(build: Build, installer: Installer, find_python: Callable[[], Python]) -> Layer | None:
    """The layer of the spec's requirements and WSGI server for the base's Python; None where it needs neither.

    `find_python` may have to read the base, so it is asked only for a layer that is needed.
    """
    spec = build.spec
    tick = partial(build.progress, f"installing requirements of {spec.name}" if spec.name else "installing requirements", 0, 0)
    requirements = Requirements() if spec.locked else _requirements(build)
    if not (spec.locked or requirements.files or spec.wsgi):
        return None
    python, indexes = find_python(), installer.indexes(spec.indexes)
    export = partial(installer.export, tick=tick)
    wanted = (
        FromLock(_lock(build), python, indexes, export, wsgi=spec.wsgi)
        if spec.locked
        else FromRequirements(requirements, python, indexes, wsgi=spec.wsgi)
    )
    installed_code = [list(entry) for entry in spec.code.entries] if wanted.needs_code else None
    inputs = [python.identity, spec.platform, *wanted.inputs, installed_code]

    def make(scratch: Path) -> Contents:
        tree, target = scratch / "code", scratch / "target"
        _write_sources(tree, wanted.files, _files(build, python) if wanted.needs_code else ())
        for run in wanted.runs(scratch, tree):
            installer.install(run, target, python, tick)
        return Contents(OWN_DIRECTORY, installed_members(target, PACKAGES), distributions=installed_distributions(target))

    return build.layer(LayerKind.DEPENDENCIES, inputs if indexes is None else [*inputs, indexes.identity], make)


def _lock(build: Build) -> Lock:
    return Lock(_text(build, LOCK, _LARGEST_LOCK), _text(build, PROJECT, _LARGEST))


def _requirements(build: Build) -> Requirements:
    names = {path for path, _, _ in build.spec.code.entries}
    main = MAIN if MAIN in names or PLAIN not in names else PLAIN
    found = collect(build.spec.requirements or "", _reader(build), main)
    return found if any(found.files.values()) else Requirements()


def _reader(build: Build) -> Callable[[str], str | None]:
    """Reads small text files of the code by their path."""

    def read(path: str) -> str | None:
        entry = next((e for e in build.entries if e.path == path), None)
        if entry is None or entry.size > _LARGEST:
            return None
        return b"".join(build.code.read(entry.blob)).decode(errors="replace")

    return read


def _text(build: Build, path: str, limit: int) -> str:
    """A file beside the lock, or the lock itself."""
    entry = next((e for e in build.entries if e.path == path), None)
    if entry is None:
        raise Stalled(f"the code has uv.lock, but no {path} beside it", hint=f"commit {path}, or requirements-deployment.txt")
    if entry.size > limit:
        raise Stalled(f"{path} has more than {limit >> 20} MiB", hint="make it smaller")
    return b"".join(build.code.read(entry.blob)).decode(errors="replace")


def _files(build: Build, python: Python) -> Iterable[tuple[str, Iterable[bytes]]]:
    kept = (entry for entry in build.entries if not (python.only_wheels and entry.path in _OF_TOOLS))
    return ((entry.path, build.code.read(entry.blob)) for entry in kept)


def _write_sources(tree: Path, requirements: dict[str, str], files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    """Write the code, where it is installed itself, and over it the requirement files as they were understood."""
    tree.mkdir()
    for path, blocks in files:
        _write(tree, path, blocks)
    for path, text in requirements.items():
        _write(tree, path, [text.encode()])


def _write(tree: Path, path: str, blocks: Iterable[bytes]) -> None:
    target = tree.parent / layer_path(tree.name, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.writelines(blocks)
