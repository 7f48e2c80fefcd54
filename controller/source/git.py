"""Runs git: no prompt, no hooks, no configuration but the repository's own, a deadline, a cap on the answer.

GitPython starts the program and nothing else: its `Repo` objects leak processes in a daemon, and its keyword options
have been the way in for most of its advisories. Text that is not ours follows `--end-of-options` or `--`.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired

from git.cmd import Git as Command
from git.exc import GitCommandNotFound

from controller.loading.printable import without_logins
from controller.model.errors import Forbidden, PointsmanError, Stalled, Transient
from controller.source.pipes import TooMuchOutput, exchange

OUTPUT_LIMIT = 512 << 20
"""Bytes of one answer; the log of a million commits is about 130 MiB."""

_INHERITED = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_EXTERNAL_DIFF",
    "GIT_REPLACE_REF_BASE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
)
"""What a git hook or an outer git command leaves in the environment (`git rev-parse --local-env-vars`): not meant for us."""

_ALONE = {
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
}
_SAFE_OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "i18n.logOutputEncoding=UTF-8",
    "log.showRoot=true",
    "log.showSignature=false",
    "log.diffMerges=separate",
    "log.follow=false",
)
_FORBIDDEN = re.compile(r"authentication failed|permission denied|could not read (username|password)|\b40[13]\b", re.I)
_TRANSIENT = re.compile(
    r"could not resolve|unable to access|connect|timed out|timeout|early eof|hung up|rpc failed|\b50[0-9]\b|\b429\b"
    r"|\.lock': file exists|unable to create .*\.lock|no space left|resource temporarily|temporary failure",
    re.I,
)


class Git:
    """git for one repository (`git_dir`) or, without one, for one directory. Implements `ports.GitRunner`.

    `alone=False` leaves the person's own configuration, hooks and identity in force: only for commits in their name.
    `environment` adds variables (credentials, proxies), `options` configuration (`name=value`); `local` grants transport
    from paths of this machine.
    """

    def __init__(
        self,
        directory: Path,
        *,
        git_dir: Path | None = None,
        work_tree: Path | None = None,
        alone: bool = True,
        local: bool = False,
        environment: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self.directory = directory
        places = [f"--git-dir={git_dir}"] if git_dir else []
        places += [f"--work-tree={work_tree}"] if work_tree else []
        safe = (*_SAFE_OPTIONS, f"protocol.file.allow={'always' if local else 'never'}") if alone else ()
        unset = [part for name in _INHERITED if name not in (environment or {}) for part in ("-u", name)]
        self._prefix = ["env", *unset, "git", *places, *(part for option in (*safe, *options) for part in ("-c", option))]
        self._environment = {**(_ALONE if alone else {"GIT_TERMINAL_PROMPT": "0"}), **(environment or {})}

    def run(self, *arguments: str, stdin: bytes | None = None, timeout: float = 60.0) -> bytes:
        """Standard output. Raises `Transient`, `Forbidden` or `Stalled` with git's own message."""
        status, output, message = self._finish(arguments, stdin, timeout)
        if status:
            raise _failure(arguments, status, message)
        return output

    def text(self, *arguments: str, timeout: float = 60.0) -> str:
        """Standard output as one stripped text."""
        return self.run(*arguments, timeout=timeout).decode(errors="replace").strip()

    def succeeds(self, *arguments: str, timeout: float = 60.0) -> bool:
        """The answer of a command that says yes by 0 and no by 1; anything else raises as `run` does."""
        status, _, message = self._finish(arguments, None, timeout)
        if status > 1:
            raise _failure(arguments, status, message)
        return status == 0

    def start(self, *arguments: str, stdin: bool = False) -> Popen[bytes]:
        """The running program with open pipes, in a process group of its own; the caller ends it by `end`."""
        command = Command(str(self.directory))
        try:
            started = command.execute(
                [*self._prefix, *arguments],
                as_process=True,
                istream=PIPE if stdin else None,
                env=self._environment,
                start_new_session=True,
            )
        except GitCommandNotFound as error:
            raise Stalled("git cannot be started", hint="install git 2.30 or newer") from error
        process, started.proc = started.proc, None  # it would end the program when this function ends
        if process is None:
            raise Transient("git could not be started")
        return process

    def _finish(self, arguments: tuple[str, ...], stdin: bytes | None, timeout: float) -> tuple[int, bytes, str]:
        process = self.start(*arguments, stdin=stdin is not None)
        try:
            output, errors = exchange(process, stdin, timeout=timeout, limit=OUTPUT_LIMIT)
            return process.wait(timeout), output, errors.decode(errors="replace")
        except (TimeoutError, TimeoutExpired) as error:
            raise Transient(f"git {arguments[0]} did not end within {timeout:g} s") from error
        except TooMuchOutput as error:
            raise Stalled(f"git {arguments[0]} answered more than {OUTPUT_LIMIT >> 20} MiB") from error
        finally:
            end(process)


def end(process: Popen[bytes]) -> None:
    """End a program with all that it started, wait for it and close its pipes; one that has ended is only tidied away."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.close()


def _failure(arguments: tuple[str, ...], status: int, message: str) -> PointsmanError:
    """What git said, without credentials, sorted by what has to happen next."""
    said = without_logins(message.strip()) or f"ended with status {status}"
    text = f"git {arguments[0]}: {said}"
    if _FORBIDDEN.search(said):
        return Forbidden(text, hint="check the credentials that the source is given, and that they may read this repository")
    if _TRANSIENT.search(said):
        return Transient(text)
    return Stalled(text)
