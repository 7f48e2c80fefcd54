"""The commits of a tour: what a person would edit and the git commands that they would use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self

from controller.cli.scratch import Scratch

DEPLOYMENT = "americas"
OLD, STAGED, NEW, BROKEN = "20181002.0", "20181003.0", "20181004.0", "20181005.0"
NEW_LABEL, BROKEN_LABEL = "1437 pictures, rounded", "1437 pictures, faster"

_VERSION = """\
# {remark}
deployments: [{deployment}]
files:
  predict-digit:
    model: {{path: models/mnist.npz}}
environment:
  MODEL_LABEL: "{label}"
"""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the command that a person would have typed for it."""

    id: str
    command: str


class Repository:
    """Edits the scratch copy and commits."""

    def __init__(self, copy: Scratch) -> None:
        self._copy = copy
        self._directory = copy.directory
        self._git = copy.git()

    def release(self) -> Commit:
        """One commit with code, version and alias."""
        self._replace("predict_wsgi.py", "round(probability, 4)", "round(probability, 2)")
        self._write_version(NEW, "Two digits of a probability are enough.", NEW_LABEL)
        self._move("staging", NEW)
        return self._commit(f"Release {NEW} to staging: round the probability")

    def promote_by_merge(self) -> Commit:
        """A branch that moves production's alias, merged as a reviewed pull request would be."""
        branch = f"promote-{NEW}"
        with self._worktree(branch) as aside:
            aside._move("production", NEW)
            aside._commit(f"Promote {NEW} to production")
        self._git.run("merge", "--quiet", "--no-ff", "--no-edit", branch)
        return Commit(self._head(), f"git merge --no-ff {branch}")

    def release_broken(self) -> Commit:
        """A version that starts and is ready, and takes the least likely digit for the right one."""
        self._replace("digit_model.py", "probabilities.argmax()", "probabilities.argmin()")
        self._write_version(BROKEN, "A faster way to the digit (it is wrong).", BROKEN_LABEL)
        self._move("staging", BROKEN)
        self._move("production", BROKEN)
        return self._commit(f"Release {BROKEN} everywhere: find the digit faster")

    def revert(self, commit: Commit, *, merge: bool = False) -> Commit:
        mainline = ("-m", "1") if merge else ()
        self._git.run("revert", "--no-edit", *mainline, commit.id)
        return Commit(self._head(), " ".join(("git revert --no-edit", *mainline, commit.id[:10])))

    @contextmanager
    def _worktree(self, branch: str) -> Iterator[Self]:
        """A new branch, checked out elsewhere: the demo serves what is checked out in the copy, be it reviewed or not."""
        place = self._copy.state.root / branch
        self._git.run("worktree", "add", "--quiet", "-b", branch, str(place))
        try:
            yield type(self)(replace(self._copy, directory=place))
        finally:
            self._git.run("worktree", "remove", "--force", str(place))

    def _write_version(self, version: str, remark: str, label: str) -> None:
        text = _VERSION.format(remark=remark, deployment=DEPLOYMENT, label=label)
        (self._directory / "pointsman" / "versions" / f"{version}.yaml").write_text(text)

    def _move(self, alias: str, version: str) -> None:
        path = self._directory / "pointsman" / "deployments" / DEPLOYMENT / "aliases" / f"{alias}.yaml"
        path.write_text(f'version: "{version}"\n')

    def _replace(self, path: str, old: str, new: str) -> None:
        file = self._directory / path
        text = file.read_text()
        if old not in text:
            raise ValueError(f"{path} of the sample repository has no {old}")
        file.write_text(text.replace(old, new))

    def _commit(self, message: str) -> Commit:
        self._git.run("add", "--all")
        self._git.run("commit", "--quiet", "--message", message)
        return Commit(self._head(), f'git commit -m "{message}"')

    def _head(self) -> str:
        return self._git.text("rev-parse", "HEAD")
