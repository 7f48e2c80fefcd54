"""The history that the sample repository would have: its files, commit by commit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FIRST_VERSION = "20181002.0"
DEADLINE = b"30s"
"""Of a switch, in the copy: whoever breaks something in a demo should not wait for minutes."""

_LEFT_OUT = frozenset({"__pycache__", ".git", "model.npz"})


@dataclass(frozen=True, slots=True)
class Step:
    """A commit. `paths` are files and directories of the sample, `.` is all; `first` writes aliases at the first version."""

    date: str
    message: str
    paths: tuple[str, ...]
    first: bool = False

    def files(self, sample: Path) -> Iterator[Path]:
        """The files of this commit, relative to the sample."""
        for path in self.paths:
            place = sample / path
            found = sorted(place.rglob("*")) if place.is_dir() else [place]
            named = (file.relative_to(sample) for file in found if file.is_file())
            yield from (file for file in named if not _LEFT_OUT.intersection(file.parts))

    def edited(self, path: Path, data: bytes) -> bytes:
        """A file's bytes as this commit has them."""
        if path.name == "deployment.yaml":
            return re.sub(rb"(?<=deadline: )\w+", DEADLINE, data)
        if self.first and path.parent.name == "aliases":
            return re.sub(rb'(?<=version: )"[^"]*"', f'"{FIRST_VERSION}"'.encode(), data)
        return data


HISTORY = (
    Step(
        "2018-10-01T09:12:00+00:00",
        "Train a small network to read digits",
        ("train.py", "digit_model.py", "requirements.in", "requirements.txt", "digits", ".gitignore"),
    ),
    Step(
        "2018-10-01T15:40:00+00:00",
        "Serve it: two endpoints, with requests whose answers must be right",
        ("predict_wsgi.py", "valohai.yaml", "requirements-deployment.in", "requirements-deployment.txt", "golden", "README.md"),
    ),
    Step(
        "2018-10-02T10:05:00+00:00",
        f"Release {FIRST_VERSION} in the Americas and Europe",
        (
            f"pointsman/versions/{FIRST_VERSION}.yaml",
            "pointsman/project.yaml",
            "pointsman/deployments",
            "models/mnist-20181002.npz",
            "CODEOWNERS",
        ),
        first=True,
    ),
    Step("2018-10-03T11:30:00+00:00", "Release 20181003.0 to staging: it has learned from all 1437 pictures", (".",)),
)
