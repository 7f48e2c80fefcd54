"""The story that is disturbed: 1.0 serves; then one commit releases 2.0, moves the alias and switches 1.0 off."""

from __future__ import annotations

import subprocess
from enum import StrEnum

from tests.faults.disturbed import Disturbed
from tests.system.repository import alias_file, deployment_file, version_file

SETTINGS = {"rollout": {"deadline": "5m", "keepWarm": "0s"}}
GOLDEN = {"request": {"path": "/"}, "expect": {"status": 200, "json": {"color": None}}}


class Chapter(StrEnum):
    """The two halves of the story: nothing → 1.0, and 1.0 → 2.0."""

    RELEASE = "release"
    SWITCH = "switch"


class Release:
    """Commits the chapters of the story; the first one at once."""

    def __init__(self, disturbed: Disturbed) -> None:
        self._disturbed = disturbed
        files = {deployment_file(): SETTINGS, "golden/say/color.yaml": GOLDEN}
        self._commit = disturbed.repository.release("1.0", **files)
        self.version = "1.0"

    def switch(self) -> None:
        """Commit the second chapter."""
        files = {version_file("1.0"): {"enabled": False}, alias_file(): {"version": "2.0"}}
        self._commit = self._disturbed.repository.release("2.0", **files)
        self.version = "2.0"

    def serve_until(self, chapter: Chapter) -> None:
        """Bring the repository to where a chapter begins to be carried out, without disturbance."""
        if chapter is Chapter.SWITCH:
            with self._disturbed.controller() as process:
                assert self.is_carried_out(process), self._disturbed.log()
            self.switch()

    def is_carried_out(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the newest commit serves and nothing remains of the older version; False if the controller dies."""
        return self._disturbed.until(process, self._is_over)

    def _is_over(self) -> bool:
        found, record = self._disturbed, self._disturbed.record()
        names = {key.name for key in record.inventory} | {key.name for key in found.objects()}
        gone = self.version == "1.0" or not any("say-1-0" in name for name in names)
        return self._commit in record.applied and gone and len(found.processes()) == 1
