"""A scratch copy of the sample repository, as a git repository with a history, for one demo.

It lies in `<state home>/pointsman/demo/`, where nothing but demos is kept: what a killed one left there is replaced.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import controller
from controller.cli.context import Place, environment, state_home
from controller.cli.runtime.leftovers import remove_containers, remove_images
from controller.cli.scratch_history import HISTORY, Step
from controller.dockerd.engine import LateEngine
from controller.embedded.lock import OwnerLock
from controller.embedded.runtime.process.runtime import end_all
from controller.embedded.state_directory import StateDirectory, locate
from controller.model.errors import Stalled, Unavailable
from controller.source.git import Git

_DEMOS = 20
_TRIES, _PAUSE = 20, 0.1
_KEPT = "pointsman-keep"


@dataclass(frozen=True, slots=True)
class Scratch:
    """The copy and where its embedded cluster keeps its state."""

    directory: Path
    state: StateDirectory

    @property
    def place(self) -> Place:
        return Place(self.directory, self.state)

    def git(self, *, date: str = "") -> Git:
        """Git in the copy, in the demo's own name. `date` replaces the current time."""
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {}
        return Git(self.directory, environment=dates)


@contextmanager
def scratch(*, keep: bool) -> Iterator[Scratch]:
    """A fresh copy, removed at the end with its state unless `keep`; demos at the same time get one each."""
    home = state_home() / "pointsman" / "demo"
    _create(home)
    lock, copy = _claim(home)
    try:
        _remove(copy)
        _write(copy)
        if keep:
            (copy.directory / ".git" / _KEPT).touch()
        yield copy
    finally:
        if not keep:
            _remove(copy)
        lock.release()


def sample_directory() -> Path:
    """The sample repository: `controller/sample` in an installed package, `sample-repo/` in a checkout."""
    package = Path(controller.__file__).parent
    installed = package / "sample"
    return installed if installed.is_dir() else package.parent / "sample-repo"


def _create(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        hint = "XDG_STATE_HOME names another place"
        raise Unavailable(f"cannot make the directory for demos {home}: {error.strerror}", hint=hint) from error


def _claim(home: Path) -> tuple[OwnerLock, Scratch]:
    """The first place that no running demo owns and no person keeps."""
    for number in count(1):
        name = "mnist" if number == 1 else f"mnist-{number}"
        directory = (home / name).resolve()
        if (directory / ".git" / _KEPT).exists():
            continue
        try:
            lock = OwnerLock(home / f"{name}.lock").acquire()
        except Stalled:
            if number > _DEMOS:
                raise
            continue
        return lock, Scratch(directory, locate(directory, explicit=None, xdg_state_home=state_home()))
    raise AssertionError("count() has no end")


def _remove(copy: Scratch) -> None:
    """The copy, its state, and the processes and containers that a killed demo has left running."""
    end_all(copy.state.run / "replicas")
    with closing(LateEngine(environment())) as engine:
        remove_containers(copy.state, engine)
        remove_images(copy.state, engine)
    _remove_directory(copy.state.root)
    _remove_directory(copy.directory)


def _remove_directory(directory: Path) -> None:
    """Again while a process that was just killed still writes there."""
    for _ in range(_TRIES):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(_PAUSE)


def _write(copy: Scratch) -> None:
    sample = sample_directory()
    copy.directory.mkdir()
    git = copy.git()
    git.run("init", "--quiet", "--template=", "--initial-branch=main")
    for option, value in (
        ("user.name", "Pointsman Demo"),
        ("user.email", "demo@pointsman.invalid"),
        ("commit.gpgSign", "false"),
        ("core.autocrlf", "false"),
    ):
        git.run("config", option, value)
    for step in HISTORY:
        _carry_out(step, sample, copy)


def _carry_out(step: Step, sample: Path, copy: Scratch) -> None:
    for path in step.files(sample):
        target = copy.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(step.edited(path, (sample / path).read_bytes()))
    git = copy.git(date=step.date)
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", step.message)
