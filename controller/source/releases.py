"""Finds the lines `Pointsman-Allow-Prune: <deployment>` in commit messages, and where on the first-parent line they count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controller.model.source import Release
from controller.source.git import Git
from controller.source.lineage import Line

_LINE = re.compile(r"^Pointsman-Allow-Prune:[ \t]*(\S+)[ \t]*\r?$", re.MULTILINE)
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class _Found:
    deployment: str
    commit: str
    index: int


@dataclass(slots=True)
class ReleaseIndex:
    """Every release that the head of a line can reach. Follows the line as it grows."""

    head: str = ""
    found: list[_Found] = field(default_factory=list)

    def follow(self, git: Git, line: Line) -> None:
        """Look at what is new since the last time; start again after rewritten history."""
        if self.head not in line.indexes:
            self.head, self.found = "", []
        if self.head != line.head:
            span = (line.head, f"^{self.head}") if self.head else (line.head,)
            self.found = [*self.found, *_releases(git, line, span)]
            self.head = line.head

    def releases(self, line: Line) -> tuple[Release, ...]:
        """With positions as of now, newest first."""
        ordered = sorted(self.found, key=lambda f: (-f.index, f.commit, f.deployment))
        return tuple(Release(f.deployment, f.commit, line.position(f.index)) for f in ordered)


def _releases(git: Git, line: Line, span: Sequence[str]) -> list[_Found]:
    messages = _messages(git, span)
    if all(commit in line.indexes for _, commit in messages):
        return [_Found(deployment, commit, line.indexes[commit]) for deployment, commit in messages]
    places = _merged_at(line, _graph(git, span))
    return [_Found(deployment, commit, places[commit]) for deployment, commit in messages]


def _messages(git: Git, span: Sequence[str]) -> list[tuple[str, str]]:
    grep = ("--basic-regexp", "--grep=^Pointsman-Allow-Prune:")
    output = git.run("log", "-z", *grep, "--format=%H%n%B", "--end-of-options", *span, "--", timeout=600.0)
    pairs = (text.decode(errors="replace").partition("\n") for text in output.split(b"\0") if text)
    return [(name, commit) for commit, _, message in pairs for name in _LINE.findall(message) if len(name) <= _LONGEST_NAME]


def _graph(git: Git, span: Sequence[str]) -> Mapping[str, Sequence[str]]:
    output = git.run("rev-list", "--parents", "--end-of-options", *span, "--", timeout=600.0).decode()
    return {commit: parents for commit, *parents in (text.split() for text in output.splitlines())}


def _merged_at(line: Line, graph: Mapping[str, Sequence[str]]) -> Mapping[str, int]:
    """Each commit of the graph to the index of the first-parent commit that brought it in. Visits each commit once."""
    places: dict[str, int] = {}
    for index in sorted(line.indexes[commit] for commit in graph if commit in line.indexes):
        waiting = [line.commits[index]]
        while waiting:
            commit = waiting.pop()
            if commit in graph and commit not in places:
                places[commit] = index
                waiting.extend(graph[commit])
    return places
