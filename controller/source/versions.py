"""Resolves version files: the first text that was a version, the commit, and the code at that commit."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from controller.loading.schema import is_valid_version
from controller.model.diagnostics import Diagnostic, Location, Severity, Subject
from controller.model.source import VersionSource
from controller.source import refusal
from controller.source.claims import VersionClaim, version_claim
from controller.source.code import Codebase, Problem
from controller.source.lineage import Line, Touch
from controller.source.objects import FILES, ObjectReader
from controller.source.origin import Origin

SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class WorkingCode:
    """The code as it lies on the disk, written to a tree: what a version that git does not hold yet runs."""

    codebase: Codebase
    tree: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A version and what is wrong with it."""

    source: VersionSource
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(slots=True)
class Surroundings:
    """What versions are resolved in: the line, where their code lies, and what to run where git does not say."""

    line: Line
    origin: Origin
    head: str
    codebase: Codebase
    elsewhere: bool
    provisional: bool
    working: Callable[[], WorkingCode]


@dataclass(slots=True)
class _Pending:
    """A version whose text is known."""

    name: str
    path: str
    text: bytes
    claim: VersionClaim
    first: Touch | None

    @property
    def subject(self) -> Subject:
        return Subject("version", self.name)

    def mistake(self, code: str, message: str, hint: str) -> Diagnostic:
        return Diagnostic(code, Severity.ERROR, message, self.claim.place, self.subject, hint)


@dataclass(slots=True)
class Versions:
    """Resolves and remembers. What git has fixed for ever is looked up once, so that a new commit costs what it adds."""

    objects: ObjectReader
    directory: str
    _texts: dict[str, bytes] = field(default_factory=dict)
    _resolved: dict[str, Resolved] = field(default_factory=dict)

    def forget(self, *, texts: bool) -> None:
        """After a change of the code's place; `texts` too after rewritten history."""
        self._resolved.clear()
        if texts:
            self._texts.clear()

    def resolve(self, files: Mapping[str, bytes], around: Surroundings) -> tuple[Resolved, ...]:
        """Every version file that is there now, in order of their paths."""
        paths = sorted(path for path in files if self._is_version(path))
        new = [self._pending(path, files[path], around.line) for path in paths if path not in self._resolved]
        fresh = self._finished(new, around)
        self._resolved.update({p.path: fresh[p.path] for p in new if p.path in self._texts and fresh[p.path].source.commit})
        return tuple(fresh.get(path) or self._resolved[path] for path in paths)

    def removed(self, present: Container[str], since: float, around: Surroundings) -> tuple[Resolved, ...]:
        """The versions that are not among the `present` paths, and were on the line at a commit from `since` on.

        A text that never was a version has no image, and is left out.
        """
        line = around.line
        gone = (p for p in line.touches if self._is_version(p) and p not in present and line.was_there(p, since))
        pending = [found for path in sorted(gone) if (found := self._former(path, line))]
        return tuple(self._finished(pending, around).values())

    def _former(self, path: str, line: Line) -> _Pending | None:
        text = self._first_text(path, line.touches[path])
        name = path.rpartition("/")[2].removesuffix(SUFFIX)
        return _Pending(name, path, text, version_claim(text, path), line.first(path)) if text is not None else None

    def _finished(self, pending: Sequence[_Pending], around: Surroundings) -> dict[str, Resolved]:
        named = {p.claim.commit for p in pending if p.claim.commit}
        lost = around.origin.lost(named, around.head) if named else frozenset()
        return {p.path: self._finish(p, around, lost) for p in pending}

    def unresolved(self, files: Mapping[str, bytes], line: Line) -> tuple[Resolved, ...]:
        """The texts alone, where a mistake of the project keeps every version from its code."""
        paths = sorted(path for path in files if self._is_version(path))
        return tuple(_unresolved(self._pending(path, files[path], line)) for path in paths)

    def _is_version(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return folder == f"{self.directory}/versions" and name.endswith(SUFFIX) and name != SUFFIX

    def _pending(self, path: str, present: bytes, line: Line) -> _Pending:
        name = path.rpartition("/")[2].removesuffix(SUFFIX)
        touches = line.touches.get(path, [])
        committed = bool(touches) and touches[-1].blob is not None
        text = (self._first_text(path, touches) if committed else None) or present
        return _Pending(name, path, text, version_claim(text, path), line.first(path) if committed else None)

    def _first_text(self, path: str, touches: Iterable[Touch]) -> bytes | None:
        """The first text on the line that is a version: git alone decides, for every unit alike."""
        if path not in self._texts:
            blobs = dict.fromkeys(t.blob for t in touches if t.blob and t.mode in FILES)
            texts = (self.objects.blob(blob, refusal.DECLARED_LIMIT) for blob in blobs)
            first = next((text for text in texts if text is not None and is_valid_version(text)), None)
            if first is None:
                return None
            self._texts[path] = first
        return self._texts[path]

    def _finish(self, pending: _Pending, around: Surroundings, lost: frozenset[str]) -> Resolved:
        commit = pending.claim.commit
        if commit is not None:
            if commit in lost:
                return _unresolved(pending, _lost(pending, commit))
            return self._at_commit(pending, commit, around, provisional=False)
        if around.elsewhere:
            return _unresolved(pending)
        if pending.first is None:
            return self._in_working_directory(pending, around)
        return self._at_commit(pending, pending.first.commit, around, provisional=around.provisional)

    def _at_commit(self, pending: _Pending, commit: str, around: Surroundings, *, provisional: bool) -> Resolved:
        tree = around.line.trees.get(commit) if not around.elsewhere else None
        root = tree or around.codebase.objects.tree_of(commit)
        return self._with_code(pending, commit, around.codebase, root or "", provisional)

    def _in_working_directory(self, pending: _Pending, around: Surroundings) -> Resolved:
        working = around.working()
        return self._with_code(pending, working.tree, working.codebase, working.tree, provisional=True)

    def _with_code(self, pending: _Pending, commit: str, base: Codebase, root: str, provisional: bool) -> Resolved:
        committed = pending.first is not None
        source = VersionSource(pending.name, pending.text, commit, provisional, committed)
        try:
            return Resolved(*in_version(source, base, root, pending.claim.paths))
        except NoCode:
            message = f"the code directory `{base.path}` does not exist at commit {commit[:10]}"
            hint = "correct `code.path` in project.yaml, or name a commit that has it"
            return _unresolved(pending, pending.mistake("PM505", message, hint))


class NoCode(Exception):
    """The code's directory does not exist at a commit."""


def in_version(
    source: VersionSource, base: Codebase, root: str, paths: frozenset[str] = frozenset()
) -> tuple[VersionSource, tuple[Diagnostic, ...]]:
    """The version with its code from a root tree, and what is wrong with that code. Raises NoCode."""
    code = base.at(root)
    if code is None:
        raise NoCode
    files, problems = base.named(code, paths)
    complete = replace(
        source,
        code=code.tree,
        valohai=code.valohai,
        golden=code.golden,
        code_files=files,
        requirements=code.requirements,
        locked=code.locked,
    )
    return complete, tuple(_in_code(problem, source) for problem in (*code.problems, *problems))


def _lost(pending: _Pending, commit: str) -> Diagnostic:
    message = f"the watched branch cannot reach the commit {refusal.shown(commit[:10])} of version `{pending.name}`"
    hint = "lost when its branch was squashed or rebased? Leave `commit` out: then the commit that adds this file counts"
    return pending.mistake("PM504", message, hint)


def _in_code(problem: Problem, version: VersionSource) -> Diagnostic:
    message = f"{problem.message} (code of version `{version.name}` at {version.commit[:10]})"
    place, subject = Location(refusal.shown(problem.path)), Subject("version", version.name)
    return Diagnostic(problem.code, Severity.ERROR, message, place, subject, problem.hint)


def _unresolved(pending: _Pending, *mistakes: Diagnostic) -> Resolved:
    source = VersionSource(pending.name, pending.text, committed=pending.first is not None)
    return Resolved(source, mistakes)
