"""Which directory a command works on, wherever in a repository it is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.cli.context import find_place

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def make(root: Path, *paths: str) -> Path:
    """A repository with these files, empty."""
    (root / ".git").mkdir(parents=True)
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.mark.parametrize(
    ("files", "start", "expected"),
    [
        (("pointsman/project.yaml", "src/a.py"), "src", "."),
        (("pointsman/project.yaml", "app/valohai.yaml"), "app", "."),
        (("01_graph/valohai.yaml", "01_graph/src/a.py"), "01_graph/src", "01_graph"),
        (("valohai.yaml", "app/valohai.yaml"), "app", "app"),
        (("01_graph/valohai.yaml",), ".", "."),
        (("src/a.py",), "src", "."),
    ],
)
def test_the_nearest_project(tmp_path: Path, files: tuple[str, ...], start: str, expected: str) -> None:
    repository = make(tmp_path / "samples", *files)
    assert find_place(repository / start, None).source == repository / expected


def test_what_lies_above_the_repository_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "valohai.yaml").touch()
    repository = make(tmp_path / "samples", "src/a.py")
    assert find_place(repository / "src", None).source == repository
