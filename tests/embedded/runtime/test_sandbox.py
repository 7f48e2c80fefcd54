"""A replica's directory goes whatever its endpoint did to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.embedded.runtime.process import sandbox

pytestmark = pytest.mark.contract


def test_a_tree_whose_root_was_made_read_only_goes_too(tmp_path: Path) -> None:
    """To root modes mean nothing: then this only says that the tree goes."""
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "inner" / "file").touch()
    (tree / "inner").chmod(0)
    tree.chmod(0o500)
    sandbox.remove(tree)
    assert not tree.exists()


def test_what_belongs_to_another_user_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree" / "inner").mkdir(parents=True)

    def refuse(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    sandbox.remove(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
