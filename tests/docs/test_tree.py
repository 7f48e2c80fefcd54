"""What holds for every text file of the project."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[2]
FOREIGN = Path("tests/data/valohai-yaml")
"""Others' files, kept as they were found."""


def files(pattern: str) -> Iterator[Path]:
    """Our own files of the checkout, without what tools have made (`.git` is a file in a worktree)."""
    for path in sorted(ROOT.glob(pattern)):
        inside = path.relative_to(ROOT)
        made = any(part in ("__pycache__", "dist") or (part[0] == "." and part != ".ci") for part in inside.parts[:-1])
        if path.is_file() and not made and inside != Path(".git") and not inside.is_relative_to(FOREIGN):
            yield inside


def text_of(path: Path) -> str:
    """The text, or nothing for a file that is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def anchors(text: str) -> set[str]:
    """What a forge makes of the headings."""
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def committed() -> frozenset[str]:
    """Files and directories that a clone has: a page that only lies in this checkout leads nobody anywhere."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = [Path(name) for name in done.stdout.split("\0") if name]
    return frozenset(str(path) for file in listed for path in (file, *file.parents))


@pytest.mark.parametrize("page", list(files("**/*.md")), ids=str)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text_of(page), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert os.path.relpath(target, ROOT) in committed(), f"{page} links to {link}, which git does not have"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), f"{page} links to {link}; that page has no such heading"


def test_every_modeline_names_a_schema() -> None:
    modelines = [
        (path, name)
        for path in files("sample-repo/**/*.yaml")
        for name in re.findall(r"^# yaml-language-server: \$schema=(\S+)$", text_of(path), re.MULTILINE)
    ]
    assert [f"{path}: {name}" for path, name in modelines if not ((ROOT / path).parent / name).is_file()] == []
    ours = [path for path in files("sample-repo/**/*.yaml") if path.name != "valohai.yaml"]
    assert [path for path, _ in modelines] == ours


def test_no_lock_names_a_registry() -> None:
    locks = [*files("requirements/*"), *files("sample-repo/requirements*")]
    named = re.compile(r"index|simple/|find-links|https?:")
    lines = [f"{path}: {line}" for path in locks for line in text_of(path).splitlines() if named.search(line)]
    assert len(locks) >= 7
    assert lines == []


def test_the_tree_names_no_place_of_the_machine_that_it_was_written_on() -> None:
    words = ("/work" + "/main", "/work" + "/shared", "/opt" + "/wheels", "/root" + "/.pyenv", "/home" + "/runner")
    named = re.compile("|".join(map(re.escape, words)))
    found = [f"{path}: {match[0]}" for path in files("**/*") for match in named.finditer(text_of(path))]
    assert found == []


def test_every_decision_is_in_the_index_and_has_the_same_three_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    index = (folder / "README.md").read_text()
    for record in records:
        text = record.read_text()
        title = text.partition("\n")[0].removeprefix(f"# {int(record.name[:4])}. ")
        assert f"- [{record.name[:4]}]({record.name}) {title}\n" in index
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
