"""Whether settings, and not the alias, changed last what an alias serves: then moving the alias back would mend nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from controller.cli.tree import DeclaredTree
from controller.loading.explain import DEFAULT, ExplainedValue, explain
from controller.model.diagnostics import Location
from controller.model.source import Snapshot
from controller.source.objects import ObjectReader

LARGEST = 1 << 20
"""Bytes of a declared file; what is larger was never a setting."""

_SAME_WORKLOAD = (".timeout", ".scale.min", ".scale.max", ".scale.cpu")
"""Settings that change no workload, so that no switch follows from them."""


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A commit of the first-parent line that changed a setting: which key, and where it stands now."""

    commit: str
    subject: str
    is_merge: bool
    key: str
    location: Location

    @property
    def revert(self) -> str:
        """The command that takes it back."""
        return f"git revert {'-m 1 ' if self.is_merge else ''}{self.commit[:10]}"


def last_setting_change(tree: DeclaredTree, deployment: str, version: str, since: str) -> SettingChange | None:
    """The newest commit after `since` whose settings give the version's workloads on this deployment something new."""
    files = (f"{tree.directory}/deployments/{deployment}/deployment.yaml", f"{tree.directory}/project.yaml")
    git = tree.git()
    shape = ("--first-parent", "--no-renames", "-z", "--format=%H%x02%P%x02%s")
    paths = (f":(top,literal){file}" for file in files)
    output = git.run("log", *shape, "--end-of-options", f"{since}..HEAD", "--", *paths, timeout=600.0)
    with ObjectReader(git) as objects:
        for line in filter(None, output.decode(errors="replace").split("\0")):
            commit, parents, subject = line.strip().split("\x02", 2)
            old = _values(_at(tree.snapshot, objects, parents.split(" ")[0], files), deployment, version)
            new = _values(_at(tree.snapshot, objects, commit, files), deployment, version)
            changed = next(_differences(old, new), None) if old and new else None
            if changed:
                key, place = changed
                return SettingChange(commit, subject, " " in parents, key, place or Location(files[0]))
    return None


def _at(snapshot: Snapshot, objects: ObjectReader, commit: str, files: tuple[str, ...]) -> Snapshot:
    """The snapshot with the settings' files as a commit has them; versions never change, so the rest may stay."""
    root = objects.tree_of(commit) if commit else None
    kept = {path: data for path, data in snapshot.files.items() if path not in files}
    for path in files:
        entry = objects.find(root, path) if root else None
        data = objects.blob(entry.id, LARGEST) if entry and entry.is_file else None
        if data is not None:
            kept[path] = data
    return replace(snapshot, files=kept)


def _values(snapshot: Snapshot, deployment: str, version: str) -> dict[str, ExplainedValue]:
    prefix = f"versions.{version}."
    found = explain(snapshot, deployment, version)
    return {v.path.removeprefix(prefix): v for v in found if not v.path.endswith(_SAME_WORKLOAD)}


def _differences(old: Mapping[str, ExplainedValue], new: Mapping[str, ExplainedValue]) -> Iterator[tuple[str, Location | None]]:
    """(key, its place) of every value that differs; a place is missing where the key is gone."""
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if (before and before.value) != (after and after.value):
            yield key, after.location if after and after.location != DEFAULT else None
