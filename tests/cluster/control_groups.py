"""The control group above a cluster's pods. Unlike mounts and devices, control groups do not go with a namespace."""

from __future__ import annotations

import os
from pathlib import Path

_ALL = Path("/sys/fs/cgroup")


def make(name: str) -> None:
    """Make the group wherever a kubelet expects it."""
    for hierarchy in hierarchies():
        _make_group(hierarchy, name)


def is_removed(name: str) -> bool:
    """Remove the group and all below it; not so yet while a process of them is still ending."""
    return all(_without_groups(hierarchy / name) for hierarchy in hierarchies())


def hierarchies() -> list[Path]:
    """The places below which control groups are made: one per controller in version 1, one in all in version 2."""
    if (_ALL / "cgroup.controllers").exists():
        return [_ALL]
    return [folder for folder in _ALL.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _make_group(hierarchy: Path, name: str) -> None:
    group = hierarchy / name
    group.mkdir(exist_ok=True)
    if (hierarchy / "cgroup.subtree_control").exists() and (hierarchy / "cgroup.controllers").read_text().split():
        offered = " ".join(f"+{controller}" for controller in (hierarchy / "cgroup.controllers").read_text().split())
        for parent in (hierarchy, group):
            (parent / "cgroup.subtree_control").write_text(offered)
    for file in ("cpuset.cpus", "cpuset.mems"):
        # Version 1 gives a new group no processor and no memory node, and refuses its processes for that.
        if (hierarchy / file).exists() and (group / file).exists():
            (group / file).write_text((hierarchy / file).read_text())


def _without_groups(top: Path) -> bool:
    """Remove empty groups from the leaves up; the kernel refuses while a process of them is still ending."""
    for folder, _, _ in os.walk(top, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError:
            return False
    return True
