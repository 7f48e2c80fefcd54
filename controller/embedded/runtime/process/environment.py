"""One Python environment per dependency set: the host's base interpreter, the unpacked packages, the port mapping.

It has the form of a `venv --without-pip` (pyvenv.cfg, documented with the `site` module) but is written here: a venv
made by the library names its own directory, and a directory that is renamed into place must not.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
import tempfile
from importlib import resources
from pathlib import Path

from controller.model.identity import content_hash

_MAPPING = "_pointsman_ports"
_FORMAT = 2
_UNFINISHED = ".new-"

PACKAGES = "packages"
"""A link to the packages that an environment is for; one that leads nowhere marks an environment that nobody can use."""


class PythonEnvironments:
    """Makes environments below a directory, each once: complete or absent, safe to ask for twice at once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self, packages: Path | None) -> Path:
        """The environment for these packages; its `bin` holds `python`, `python3` and the packages' scripts."""
        mapping = resources.files("controller.embedded.runtime.process").joinpath("port_mapping.py").read_text()
        parts = [_FORMAT, str(_interpreter()), sys.version, str(packages or ""), mapping]
        place = self._directory / content_hash(parts, 20)
        if not place.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            self._install(place, packages, mapping)
        return place

    def remove_unusable(self) -> None:
        """Remove environments whose packages are gone, and those that a killed process did not finish."""
        for place in self._directory.glob("*"):
            packages = place / PACKAGES
            if place.name.startswith(_UNFINISHED) or (packages.is_symlink() and not packages.exists()):
                shutil.rmtree(place, ignore_errors=True)

    def _install(self, place: Path, packages: Path | None, mapping: str) -> None:
        temporary = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._directory))
        try:
            _write(temporary, packages, mapping)
            temporary.rename(place)
        except OSError:
            if not place.exists():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _write(root: Path, packages: Path | None, mapping: str) -> None:
    interpreter = _interpreter()
    (root / "bin").mkdir()
    for name in ("python", "python3", f"python3.{sys.version_info.minor}"):
        (root / "bin" / name).symlink_to(interpreter)
    for script in scripts(packages):
        if not (root / "bin" / script.name).exists():
            (root / "bin" / script.name).symlink_to(script)
    if packages:
        (root / PACKAGES).symlink_to(packages)
    (root / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\ninclude-system-site-packages = false\n")
    site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(root)}))
    site.mkdir(parents=True)
    (site / f"{_MAPPING}.py").write_text(mapping)
    # A line of a .pth file that begins with `import` runs at start, before any sitecustomize, which stays the user's own.
    own_site = f"import site; site.addsitedir({str(packages)!r})\n" if packages else ""
    (site / "pointsman.pth").write_text(f"{own_site}import {_MAPPING}\n")


def scripts(packages: Path | None) -> list[Path]:
    """The console scripts that came with the packages (an installation with `--target` puts them into `bin`)."""
    folder = packages / "bin" if packages else None
    return sorted(p for p in folder.iterdir() if p.is_file()) if folder and folder.is_dir() else []


def _interpreter() -> Path:
    """The base interpreter, not the one of the environment that this program itself runs in."""
    name = f"python3.{sys.version_info.minor}"
    found = Path(sys.base_prefix) / "bin" / name
    return found if found.exists() else Path(sys.executable).resolve()
