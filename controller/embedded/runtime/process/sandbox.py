"""A replica's own directory: a writable copy of the code, HOME and TMPDIR, made anew at every start as a container's is."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from controller.embedded.runtime.process.environment import scripts
from controller.embedded.runtime.process.places import Places
from controller.model.ports import UnpackedImage
from controller.render.metadata import FILE


def prepare(directory: Path, unpacked: UnpackedImage, environment: Path, metadata: str | None) -> Places:
    """Empty the directory's parts and fill them. Raises OSError (disk full, permissions)."""
    places = Places(directory / "code", directory / "home", directory / "tmp", environment, unpacked)
    for part in (places.code, places.home, places.temporary):
        remove(part)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _copy_writable(unpacked.code, places.code)
    places.temporary.mkdir(mode=0o700)
    _fill_home(places.home, environment, unpacked.packages)
    if metadata is not None:
        write_read_only(places.code / FILE, metadata)
    return places


def remove(directory: Path) -> None:
    """Delete a tree, also where an endpoint made directories of it read-only; what belongs to another user stays."""
    _open_up(directory)
    for folder, below, _ in os.walk(directory):
        for name in below:
            _open_up(Path(folder) / name)
    shutil.rmtree(directory, ignore_errors=True)


def _open_up(directory: Path) -> None:
    with suppress(OSError):
        if not directory.is_symlink():
            directory.chmod(0o700)


def _copy_writable(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)
    for folder, _, files in os.walk(target):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder) / name
            if not file.is_symlink():
                file.chmod(file.stat().st_mode | 0o600)


def _fill_home(home: Path, environment: Path, packages: Path | None) -> None:
    """Commands say `~/.local/bin/uvicorn`, where `pip install --user` would have put it (Valohai's documentation)."""
    folder = home / ".local" / "bin"
    folder.mkdir(parents=True, mode=0o700)
    for script in scripts(packages):
        (folder / script.name).symlink_to(environment / "bin" / script.name)


def write_read_only(file: Path, text: str) -> None:
    """A file of our own, which its reader must not change."""
    file.unlink(missing_ok=True)
    file.write_text(text)
    file.chmod(0o444)
