"""The dependency layer: what a version's requirements install, without its name, place or time of installation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from controller.images.build import Build
from controller.images.host import base_interpreter
from controller.images.installed import installed_distributions, installed_members
from controller.images.installer import Installer
from controller.images.layers import Contents, Layer, LayerKind
from controller.images.paths import layer_path
from controller.images.requirements import MAIN, Requirements, collect
from controller.images.wsgi import SERVER, wsgi_requirement
from controller.model.images import OWN_DIRECTORY

PACKAGES = f"{OWN_DIRECTORY}/python"
"""Where the packages lie in an image: one directory for `sys.path`, its scripts in `bin`."""

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Python:
    """The Python that packages are for: `version` is `major.minor`.

    `identity` stands for it in a layer's inputs, `options` are what an installation for it needs.
    """

    version: str
    identity: str
    options: tuple[str, ...] = ()


def dependency_layer(build: Build, installer: Installer, find_python: Callable[[], Python]) -> Layer | None:
    """The layer of the spec's requirements and WSGI server for the base's Python; None where it needs neither.

    `find_python` may have to read the base, so it is asked only for a layer that is needed.
    """
    spec = build.spec
    requirements = _requirements(build)
    server = spec.wsgi and SERVER not in requirements.names
    if not requirements.files and not server:
        return None
    python = find_python()
    extra = [wsgi_requirement(python.version)] if server else []
    installed_code = [list(entry) for entry in spec.code.entries] if requirements.needs_code else None
    inputs = [python.identity, spec.platform, requirements.files, extra, installed_code]

    def tick() -> None:
        build.progress(f"installing requirements of {spec.name}" if spec.name else "installing requirements", 0, 0)

    def make(scratch: Path) -> Contents:
        tree = scratch / "code"
        _write_sources(tree, requirements, _files(build) if requirements.needs_code else ())
        (scratch / "server.txt").write_text("".join(f"{line}\n" for line in extra))
        sources = [tree / MAIN] if requirements.files else []
        sources += [scratch / "server.txt"] if extra else []
        target = scratch / "target"
        installer.install(sources, target, base_interpreter(), tree, tick, options=python.options)
        return Contents(OWN_DIRECTORY, installed_members(target, PACKAGES), distributions=installed_distributions(target))

    return build.layer(LayerKind.DEPENDENCIES, inputs, make)


def _requirements(build: Build) -> Requirements:
    found = collect(build.spec.requirements or "", _reader(build))
    return found if any(found.files.values()) else Requirements()


def _reader(build: Build) -> Callable[[str], str | None]:
    """Reads small text files of the code by their path."""

    def read(path: str) -> str | None:
        entry = next((e for e in build.entries if e.path == path), None)
        if entry is None or entry.size > _LARGEST:
            return None
        return b"".join(build.code.read(entry.blob)).decode(errors="replace")

    return read


def _files(build: Build) -> Iterable[tuple[str, Iterable[bytes]]]:
    return ((entry.path, build.code.read(entry.blob)) for entry in build.entries)


def _write_sources(tree: Path, requirements: Requirements, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    """Write the code, where it is installed itself, and over it the requirement files as they were understood."""
    tree.mkdir()
    for path, blocks in files:
        _write(tree, path, blocks)
    for path, text in requirements.files.items():
        _write(tree, path, [text.encode()])


def _write(tree: Path, path: str, blocks: Iterable[bytes]) -> None:
    target = tree.parent / layer_path(tree.name, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.writelines(blocks)
