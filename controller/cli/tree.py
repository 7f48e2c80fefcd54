"""The declared tree that a command works on, read from the working directory as it lies there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.cli.context import Place, find_place
from controller.loading.loader import load, read_all
from controller.loading.reading import DeclaredVersion, Reading
from controller.loading.schema_problems import did_you_mean
from controller.model.declared import Alias
from controller.model.diagnostics import Diagnostic, Subject
from controller.model.errors import Stalled
from controller.model.source import Snapshot
from controller.source.claims import CodePlace, code_place
from controller.source.git import Git
from controller.source.local import WorkingDirectory
from controller.source.repository import Repository

UNSEEN_CODE = ("PM313", "PM507")
"""Diagnostics that only say that another repository's code cannot be seen from here."""


@dataclass(frozen=True, slots=True)
class DeclaredTree:
    """What the working directory declares. `root` is the repository's; declared paths are relative to it."""

    root: Path
    snapshot: Snapshot
    reading: Reading
    diagnostics: tuple[Diagnostic, ...]

    @property
    def directory(self) -> str:
        return self.snapshot.path

    @property
    def deployments(self) -> tuple[str, ...]:
        return self.reading.layout.deployment_names

    def alias(self, deployment: str, name: str) -> Alias | None:
        """The alias, where its file exists and names a version."""
        return self.reading.aliases.get(deployment, {}).get(name)

    def deployments_with(self, alias: str) -> tuple[str, ...]:
        """The deployments that have a file for this alias, readable or not."""
        return tuple(sorted(deployment for deployment, name in self.reading.layout.aliases if name == alias))

    def alias_file(self, deployment: str, alias: str) -> str:
        return f"{self.directory}/deployments/{deployment}/aliases/{alias}.yaml"

    def version_file(self, version: str) -> str:
        return f"{self.directory}/versions/{version}.yaml"

    def require_deployment(self, name: str) -> str:
        """The name, if there is such a deployment; else Stalled with the nearest one."""
        if name not in self.deployments:
            raise Stalled(f"there is no deployment `{name}`", hint=did_you_mean(name, self.deployments))
        return name

    def require_version(self, name: str) -> DeclaredVersion:
        """The version, if its file is there and free of mistakes; else Stalled saying what is wrong with it."""
        found = self.reading.versions.get(name)
        if found is None:
            known = [v.name for v in self.reading.versions.values() if v.enabled]
            raise Stalled(f"there is no version `{name}`", hint=did_you_mean(name, known) or "pointsman version create")
        for mistake in self.mistakes_of(name):
            raise Stalled(f"version `{name}` is held: {mistake.location}: {mistake.message}", hint=mistake.hint)
        return found

    def mistakes_of(self, version: str) -> tuple[Diagnostic, ...]:
        """What holds a version, as far as this directory can tell: code elsewhere is read by the controller alone."""
        found = (d for d in self.diagnostics if d.is_error and d.subject == Subject("version", version))
        return tuple(d for d in found if not (self.code.repository and d.code in UNSEEN_CODE))

    @property
    def code(self) -> CodePlace:
        """Where the project's code lies."""
        file = f"{self.directory}/project.yaml"
        return code_place(self.snapshot.files.get(file, b""), file)

    def require_release(self, name: str, deployment: str) -> DeclaredVersion:
        """A version that an alias of this deployment may lead to."""
        found = self.require_version(name)
        if not found.enabled:
            hint = f"set `enabled: true` in {found.file}, or name another version"
            raise Stalled(f"version `{name}` is not enabled", hint=hint)
        if not found.is_for(deployment):
            hint = f"pointsman version create --from {name} --deployments {deployment}, or name another version"
            raise Stalled(f"version `{name}` is not for deployment `{deployment}`", hint=hint)
        return found

    def git(self) -> Git:
        """Git in this repository, without the person's own configuration: for reading only."""
        repository = Repository.around(self.root)
        if repository is None:
            raise Stalled(f"{self.root} is not in a git repository", hint="git init, then commit")
        return repository.git()


@contextmanager
def working_directory(place: Place) -> Iterator[WorkingDirectory]:
    """The place's files as a source. The declared directory may lie deeper in the repository than its root."""
    source = WorkingDirectory(place.source, directory=place.declared_directory, state=place.state.git, committed=False)
    try:
        yield source
    finally:
        source.close()


def read_tree(start: Path | None = None, state: Path | None = None, *, uncommitted: bool = False) -> DeclaredTree:
    """Read everything at or above `start`. `uncommitted` takes a version file that git does not hold yet as it is."""
    return tree_at(find_place(start, state), uncommitted=uncommitted)


def tree_at(place: Place, *, uncommitted: bool = False) -> DeclaredTree:
    """Read everything at a place that is known."""
    with working_directory(place) as source:
        snapshot = source.snapshot()
    reading, _ = read_all(snapshot, uncommitted=uncommitted)
    diagnostics = load(snapshot, uncommitted=uncommitted).diagnostics
    return DeclaredTree(Path(snapshot.source), snapshot, reading, diagnostics)
