"""Where a command works: the source, its state directory, the environment's settings. The only reader of `os.environ`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from controller.embedded.lock import OwnerLock
from controller.embedded.remote import RemoteStore
from controller.embedded.secrets import SecretFiles
from controller.embedded.state_directory import StateDirectory, find_running, locate
from controller.embedded.store import EmbeddedStore
from controller.engine.steps import Observer, Step, unobserved
from controller.model.errors import Stalled
from controller.model.ports import ClusterClient
from controller.source.repository import Repository

F = TypeVar("F", bound=Callable[..., Any])
DECLARED = "pointsman"
VALOHAI = "valohai.yaml"


def state_option(function: F) -> F:
    """`--state`, on every command that touches the embedded cluster."""
    option = click.option(
        "--state",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="POINTSMAN_STATE",
        help="State directory of the embedded cluster. Default: $XDG_STATE_HOME/pointsman/<name>-<hash of the source>.",
    )
    return option(function)


@dataclass(frozen=True, slots=True)
class Place:
    """A source directory and the state directory that belongs to it."""

    source: Path
    state: StateDirectory

    @property
    def has_declared_tree(self) -> bool:
        return (self.source / DECLARED / "project.yaml").is_file()

    @property
    def declared_root(self) -> Path:
        """The declared directory on the disk."""
        return self.source / DECLARED

    @property
    def declared_directory(self) -> str:
        """The declared directory relative to the repository's root, below which it may lie deeper."""
        repository = Repository.around(self.source)
        root = repository.work_tree if repository and repository.work_tree else self.source
        return (self.source / DECLARED).relative_to(root).as_posix()


def find_place(start: Path | None, state: Path | None) -> Place:
    """The source at or above `start` (default: here): where a controller runs, a declared tree lies, or a repository begins.

    Raises Stalled for a directory that is not there.
    """
    here = (start or Path.cwd()).resolve()
    if not here.is_dir():
        raise Stalled(f"{here} is no directory")
    home = state_home()
    source = _source_root(here)
    if state is None and (running := find_running(here, xdg_state_home=home)):
        return Place(_source_of(here, running, home), running)
    return Place(source, locate(source, explicit=state, xdg_state_home=home))


def state_home() -> Path:
    """`$XDG_STATE_HOME`, else its default."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")


def config_home() -> Path:
    """`$XDG_CONFIG_HOME`, else its default."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def kubeconfig_paths() -> Path | None:
    """`$KUBECONFIG`, one path or several with colons between; None for kubectl's default."""
    found = os.environ.get("KUBECONFIG")
    return Path(found) if found else None


def environment() -> Mapping[str, str]:
    """The caller's variables, for what installs packages (which takes only what it needs)."""
    return dict(os.environ)


def search_path() -> str:
    """Where endpoints' commands are looked for, after their own environment."""
    return os.environ.get("PATH") or os.defpath


def _source_root(here: Path) -> Path:
    """The nearest declared tree of the repository; else the nearest `valohai.yaml`; else where the repository begins."""
    above = (here, *here.parents)
    root = next((d for d in above if (d / ".git").exists()), None)
    inside = above[: above.index(root) + 1] if root else above
    marks = (f"{DECLARED}/project.yaml", VALOHAI)
    found = (directory for mark in marks for directory in inside if (directory / mark).is_file())
    return next(found, root or here)


def _source_of(here: Path, running: StateDirectory, home: Path) -> Path:
    above = (here, *here.parents)
    return next(d for d in above if locate(d, explicit=None, xdg_state_home=home).root == running.root)


@contextmanager
def cluster_client(place: Place) -> Iterator[ClusterClient]:
    """The embedded cluster's objects: through the controller that owns them, else by opening the store for this command."""
    if place.state.owner is not None:
        yield RemoteStore.at(place.state.socket)
        return
    if not place.state.store.is_dir():
        raise Stalled(
            f"nothing was ever served from {place.source}",
            hint="pointsman up; --state for another state directory; --context for a Kubernetes target",
        )
    with OwnerLock(place.state.lock), EmbeddedStore(place.state.store, secrets=SecretFiles(place.state.secrets)) as store:
        yield store


def crash_observer() -> Observer:
    """`POINTSMAN_KILL_AT=<step>[:<n>]` kills this process the n-th time it gets there: for the fault tests alone."""
    wanted, _, count = os.environ.get("POINTSMAN_KILL_AT", "").partition(":")
    if not wanted:
        return unobserved
    left = [int(count or 1)]
    step = Step(wanted)

    def observe(reached: Step) -> None:
        if reached is step:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return observe
