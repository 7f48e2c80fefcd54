"""A bare copy of one branch elsewhere: looked at by `ls-remote`, fetched only when it moved.

An error, an empty answer or a branch that is not there is never a state: what was verified last stays.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from controller.loading.printable import without_logins
from controller.model.errors import PointsmanError, Stalled, Transient
from controller.model.identity import content_hash, slug
from controller.model.source import Revision
from controller.source.git import Git
from controller.source.objects import ObjectReader, is_id
from controller.source.repository import Repository

FETCH_TIMEOUT = 900.0
_log = logging.getLogger(__name__)
_FETCHED = "refs/pointsman/fetched"
_SCP_LIKE = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:(?!:)[^\s]+\Z")
_REMOTE = frozenset({"https", "ssh"})


class BareCopy:
    """Below `state`, one directory per URL. `branch` None follows the remote's default branch.

    `local` grants `file://` and plain paths. `environment` carries credentials to git and never reaches a message.
    """

    def __init__(
        self,
        url: str,
        *,
        state: Path,
        branch: str | None = None,
        local: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._url = checked_url(url, local=local)
        self.name = without_logins(url)
        self._branch = branch
        readable = slug(urlsplit(url).path.rpartition("/")[2] or "mirror", 30)
        self.git_dir = state.resolve() / f"{readable}-{content_hash(url, 8)}.git"
        self._git = Git(self.git_dir.parent, git_dir=self.git_dir, local=local, environment=environment)
        self.objects = ObjectReader(self._git)

    def refresh(self, verify: Callable[[str], None]) -> bool:
        """Look at the remote and fetch what is new; True when the branch moved.

        A fetched commit becomes the branch only after `verify`. Raises, and changes nothing, on every doubt.
        """
        try:
            self._create()
        except OSError as error:
            raise Transient(f"the mirror {self.git_dir} cannot be made: {error.strerror}") from error
        branch, remote = self._remote()
        here = Repository.at(self.git_dir)
        reference = f"refs/heads/{branch}"
        known = here.commit_of(reference)
        if known == remote and here.branch() == branch:
            return False
        commit = known if known == remote else self._fetch(reference)
        verify(commit)
        self._git.run("update-ref", "--", reference, commit)
        self._git.run("symbolic-ref", "HEAD", reference)
        self._tidy()
        return True

    def revision(self) -> Revision:
        """The verified one, with an empty commit before the first; costs no process."""
        if not self.git_dir.is_dir():
            return Revision(self._branch or "HEAD", "")
        here = Repository.at(self.git_dir)
        return Revision(here.branch(), here.head())

    def is_shallow_at(self, commit: str) -> bool:
        """Whether the history was cut off below this commit."""
        return Repository.at(self.git_dir).is_shallow_at(commit)

    def _tidy(self) -> None:
        """Packs of fetches add up over months; git itself decides whether joining them is worth it."""
        try:
            self._git.run("gc", "--auto", "--quiet", timeout=FETCH_TIMEOUT)
        except PointsmanError as error:
            _log.info("the mirror of %s was not tidied: %s", self.name, error)

    def _remove_leftovers(self) -> None:
        """Packs of fetches that were killed: git leaves them, and a fetch that never ends in time would fill the disk."""
        for path in (self.git_dir / "objects" / "pack").glob("tmp_*"):
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - FETCH_TIMEOUT:
                    path.unlink()

    def _create(self) -> None:
        """Made aside and moved into place, so that a killed process leaves no half of a mirror."""
        if self.git_dir.is_dir():
            return
        aside = self.git_dir.with_name(f"{self.git_dir.name}.{os.getpid()}")
        shutil.rmtree(aside, ignore_errors=True)
        aside.parent.mkdir(parents=True, exist_ok=True)
        Git(aside.parent).run("init", "--quiet", "--bare", "--", str(aside))
        try:
            aside.rename(self.git_dir)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            if not self.git_dir.is_dir():
                raise

    def _remote(self) -> tuple[str, str]:
        """The branch and its commit over there."""
        wanted = f"refs/heads/{self._branch}" if self._branch else "HEAD"
        answer = self._git.text("ls-remote", "--symref", "--end-of-options", self._url, wanted)
        lines = [line.split("\t") for line in answer.splitlines() if "\t" in line]
        links = [left for left, name in lines if name == "HEAD" and left.startswith("ref: refs/heads/")]
        branch = self._branch or next((link.removeprefix("ref: refs/heads/") for link in links), None)
        commit = next((left for left, name in lines if name == wanted and is_id(left)), None)
        if branch is None or commit is None:
            hint = "check the branch's name; what runs stays as it is"
            raise Stalled(f"{self.name} has no branch {self._branch or 'HEAD'}, or answered nothing", hint=hint)
        return branch, commit

    def _fetch(self, reference: str) -> str:
        """All objects of the branch; git itself checks that they are connected before it writes the reference."""
        self._remove_leftovers()
        shape = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc")
        refspec = f"+{reference}:{_FETCHED}"
        self._git.run("fetch", *shape, "--end-of-options", self._url, refspec, timeout=FETCH_TIMEOUT)
        commit = Repository.at(self.git_dir).commit_of(_FETCHED)
        if not commit:
            raise Transient(f"{self.name} gave nothing for {reference}")
        return commit


def checked_url(url: str, *, local: bool) -> str:
    """A URL that only means a place, never an option or a program. Raises `Stalled` for any other."""
    if url.startswith("-") or "::" in url or any(c.isspace() or not c.isprintable() for c in url):
        raise Stalled(f"{without_logins(url)!r} is no repository URL")
    scheme = urlsplit(url).scheme if "://" in url else ""
    if scheme in _REMOTE or (not scheme and _SCP_LIKE.match(url)):
        return url
    if local and scheme in {"", "file"}:
        return url
    hint = "https://..., ssh://... or user@host:path; paths of this machine must be granted by the configuration"
    raise Stalled(f"the repository URL {without_logins(url)!r} is not allowed", hint=hint)
