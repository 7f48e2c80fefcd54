"""What a commit is about: the first line of its message."""

from __future__ import annotations

from pathlib import Path

from controller.model.errors import PointsmanError
from controller.model.source import Revision
from controller.source.adhoc import BRANCH
from controller.source.repository import Repository

_LONGEST = 100


class SubjectLines:
    """Asks the repository at `directory`; call it with a revision."""

    def __init__(self, directory: Path) -> None:
        self._repository = Repository.around(directory.resolve())

    def __call__(self, revision: Revision) -> str:
        """Without control characters; empty where git cannot say."""
        if revision.branch == BRANCH:
            return "the files as they lie there"
        if self._repository is None or not revision.commit:
            return ""
        try:
            subject = self._repository.git().text("show", "--no-patch", "--format=%s", "--end-of-options", revision.commit)
        except PointsmanError:
            return ""
        return "".join(filter(str.isprintable, subject))[:_LONGEST]
