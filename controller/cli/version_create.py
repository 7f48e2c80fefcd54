"""Makes a version file: its name, its text, and the check that it is a version before it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import click

from controller.cli.beginnings import NAME_HINT, declared_name
from controller.cli.committing import FileEdit, tell_commit, write_and_commit
from controller.cli.context import Place
from controller.cli.editing import with_value
from controller.cli.given_files import Code, Sources, sources_of
from controller.cli.modeline import modeline_like
from controller.cli.output import note
from controller.cli.tree import DeclaredTree, tree_at
from controller.cli.version_names import next_version_name
from controller.loading.documents import parse
from controller.loading.nodes import find, plain
from controller.model.errors import PointsmanError, Stalled
from controller.source.commits import current_branch, default_branch
from controller.source.git import Git
from controller.source.repository import Repository


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new version is to be."""

    name: str | None = None
    origin: str | None = None
    commit: str | None = None
    files: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = field(default=())


def create_version(place: Place, wish: Wish, today: date, *, no_commit: bool, branch: str | None) -> None:
    """Write the version's file, make sure that it is a version, commit it and say what follows."""
    tree = tree_at(place)
    name = _free_name(tree, wish.name, today)
    for deployment in wish.deployments:
        tree.require_deployment(deployment)
    path = tree.version_file(name)
    code = Code(tree.root, tree.code.path, tree.code.repository)
    if wish.origin is None and wish.commit is None and code.elsewhere is None:
        require_code(code, tree.directory)
    data = version_text(tree, wish, sources_of(wish.files, code, place.state))
    message = f"Add version {name}" + (f", from {wish.origin}" if wish.origin else "")
    commit = write_and_commit(
        tree.root,
        [FileEdit(path, None, data)],
        message,
        no_commit=no_commit,
        branch=branch,
        check=lambda: _require_version(place, name),
    )
    click.echo(name)
    note(f"wrote {path}")
    tell_commit(tree.root, commit, branch, f"pointsman promote ALIAS {name}")


def version_text(tree: DeclaredTree, wish: Wish, sources: Sources) -> bytes:
    """The new file: the origin's text with what was wished for written into it, or only that."""
    file = f"versions/{wish.name or 'new'}.yaml"
    values: list[tuple[tuple[str, ...], object]] = []
    commit = wish.commit or _commit(tree, wish)
    if commit:
        values.append((("commit",), commit))
    if wish.deployments:
        values.append((("deployments",), list(wish.deployments)))
    if wish.endpoints:
        values.append((("endpoints",), list(wish.endpoints)))
    values += [(("files", endpoint, name), source) for (endpoint, name), source in sources.items()]
    data = _beginning(tree, wish)
    for path, value in values:
        data = with_value(data, path, value, file=file)
    return data if parse(data).root else data + b"{}\n"


def _beginning(tree: DeclaredTree, wish: Wish) -> bytes:
    """The origin's first text, enabled; else an empty file, with the modeline of its neighbours."""
    if wish.origin is None:
        return modeline_like(tree.snapshot.files[v.file] for v in tree.reading.versions.values()).encode()
    tree.require_version(wish.origin)
    text = tree.snapshot.versions[wish.origin].text
    disabled = plain(find(parse(text).root, "enabled")) is False
    return with_value(text, ("enabled",), True, file=tree.version_file(wish.origin)) if disabled else text


def _commit(tree: DeclaredTree, wish: Wish) -> str | None:
    """The origin's resolved commit; with code elsewhere the head of its default branch; else none: git fixes it."""
    repository = tree.code.repository
    if wish.origin is not None:
        found = tree.snapshot.versions.get(wish.origin)
        if found is not None and found.commit:
            if repository is None:
                _warn_unmerged(tree.root, wish.origin, found.commit)
            return found.commit
        return None
    return _head_of(tree.root, repository) if repository else None


def _head_of(root: Path, repository: str) -> str:
    """The person's own git and credentials ask; nothing is fetched."""
    answer = Git(root, alone=False).text("ls-remote", "--end-of-options", repository, "HEAD")
    if not answer:
        raise Stalled(f"{repository} has no default branch", hint="name the commit: --commit HASH")
    return answer.split()[0]


def _warn_unmerged(root: Path, origin: str, commit: str) -> None:
    """A commit that is only on this branch is lost when the branch is squashed."""
    main = default_branch(root)
    if main is None or main == current_branch(root):
        return
    try:
        merged = Git(root, alone=False).succeeds("merge-base", "--is-ancestor", commit, main)
    except PointsmanError:
        return
    if not merged:
        note(f"warning: version {origin} is not on {main} yet; if this branch is squashed, commit {commit[:10]} is lost")


def _free_name(tree: DeclaredTree, wanted: str | None, today: date) -> str:
    prefix = f"{tree.directory}/versions/"
    ever = {p.removeprefix(prefix).removesuffix(".yaml") for p in tree.snapshot.changed if p.startswith(prefix)}
    ever |= set(tree.reading.layout.versions)
    name = wanted or next_version_name(today, ever)
    if name in tree.reading.layout.versions:
        raise Stalled(
            f"version `{name}` exists already, and a version never changes", hint="leave the name out for the next free one"
        )
    if name in ever:
        hint = "leave the name out for the next free one"
        raise Stalled(f"version `{name}` was there before: under this name it would be the old one again", hint=hint)
    if declared_name(name) != name:
        raise Stalled(f"`{name}` cannot be the name of a version", hint=NAME_HINT)
    return name


def require_code(code: Code, directory: str) -> None:
    """The version will be the code of the commit that adds its file, so what is not committed is not in it."""
    repository = Repository.around(code.root.resolve())
    if repository is None or not repository.head():
        raise Stalled(f"{code.root} has no commit yet", hint="git add and git commit the code first")
    git = repository.git()
    valohai = f"{code.path}/valohai.yaml".lstrip("/")
    if not git.text("ls-tree", "HEAD", "--", valohai):
        raise Stalled(f"git does not hold {valohai} yet", hint=f"git add {valohai}; git commit")
    inside = f":(top,literal){code.path}" if code.path else ":(top)"
    changed = git.text("diff", "--name-only", "HEAD", "--", inside, f":(top,exclude){directory}")
    names = changed.splitlines()
    if valohai in names:
        raise Stalled(f"{valohai} has changes that are not committed", hint=f"git commit {valohai}, then again")
    if names:
        note(f"warning: {len(names)} changed files are not committed, so they are not in the version: {', '.join(names[:3])}")


def _require_version(place: Place, name: str) -> None:
    """Read everything again, with the new file: a mistake in it must not get into git, where it could not be mended."""
    tree = tree_at(place, uncommitted=True)
    mistakes = tree.mistakes_of(name)
    if mistakes:
        first, more = mistakes[0], _more(mistakes)
        hint = "--file ENDPOINT/FILE=PATH|URL says where its bytes are" if first.code == "PM316" else first.hint
        raise Stalled(f"{first.location}: {first.message}{more}; nothing was written", hint=hint)


def _more(mistakes: Sequence[object]) -> str:
    return f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
