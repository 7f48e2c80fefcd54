"""Folders of `tests/data/trees` as snapshots, and what the loader says of them as text.

Run as a program it writes every `expected.txt` anew; read the difference as a user would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from controller.loading.loader import load
from controller.model.declared import DeclaredState
from controller.model.diagnostics import Diagnostic
from controller.model.source import CodeTree, Revision, Snapshot, VersionSource

FOLDER = Path(__file__).parents[1] / "data" / "trees"
BASE = "_base"
COMMIT = "4f1c0e8f0d6e0f8a3d1b2c3d4e5f60718293a4b5"


def cases() -> list[str]:
    return sorted(p.name for p in FOLDER.iterdir() if p.is_dir() and p.name != BASE)


def files_of(case: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for folder in (FOLDER / BASE, FOLDER / case):
        found.update({p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()})
    for path in found.pop("removed.txt", b"").decode().splitlines():
        del found[path]
    return found


def snapshot_of(case: str) -> Snapshot:
    return snapshot(files_of(case))


def snapshot(files: dict[str, bytes]) -> Snapshot:
    declared = {path: data for path, data in files.items() if path.startswith("pointsman/")}
    names = [
        p[len("pointsman/versions/") : -5] for p in declared if p.startswith("pointsman/versions/") and p.endswith(".yaml")
    ]
    versions = {name: _source(name, files) for name in names}
    return Snapshot("tests", Revision("main", COMMIT), "pointsman", declared, versions)


def _source(name: str, files: dict[str, bytes]) -> VersionSource:
    code = {path[5:]: data for path, data in files.items() if path.startswith("code/")}
    return VersionSource(
        name,
        files.get(f"first/{name}.yaml", files[f"pointsman/versions/{name}.yaml"]),
        commit=COMMIT,
        code=CodeTree("tests", ".", ()),
        valohai=code.get("valohai.yaml"),
        golden={path: data for path, data in code.items() if path.startswith("golden/")},
        code_files={path: hashlib.sha1(data, usedforsecurity=False).hexdigest() for path, data in code.items()},
        requirements=code.get("requirements-deployment.txt"),
    )


def report(state: DeclaredState) -> str:
    said = [_printed(diagnostic) for diagnostic in state.diagnostics]
    kept = [f"{d.name}: versions {_list(d.versions)}; aliases {_list(d.aliases)}" for d in state.deployments.values()]
    return "".join(f"{line}\n" for line in [*said, "declared:", *(f"  {line}" for line in kept or ["nothing"])])


def _printed(diagnostic: Diagnostic) -> str:
    return f"{diagnostic}\n  holds: {diagnostic.subject}" if diagnostic.is_error else str(diagnostic)


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def main() -> None:
    for case in cases():
        (FOLDER / case / "expected.txt").write_text(report(load(snapshot_of(case))), "utf-8")


if __name__ == "__main__":
    main()
