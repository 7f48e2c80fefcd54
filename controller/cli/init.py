"""`pointsman init`: the first declared files of a repository that has a valohai.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from controller.cli.beginnings import CODEOWNERS, NOBODY, Beginning, declared_name, owner_and_name, owners_lines, with_lines
from controller.cli.committing import FileEdit, tell_commit, write_and_commit
from controller.cli.context import DECLARED, find_place, state_option
from controller.cli.exit_codes import ERROR, OK
from controller.cli.given_files import Code, Sources, sources_of
from controller.cli.output import note
from controller.cli.version_create import require_code
from controller.cli.version_names import next_version_name
from controller.loading.valohai import Endpoints, read_valohai
from controller.model.errors import Stalled
from controller.source.commits import require_branch
from controller.source.git import Git
from controller.source.repository import Repository

_VALOHAI = "valohai.yaml"
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class _Found:
    """What the repository has: its code, its endpoints, and the files that lack bytes."""

    code: Code
    repository: Repository
    endpoints: Endpoints
    sources: Sources
    missing: tuple[tuple[str, str], ...]


@click.command()
@click.option("--owner", help="Who the project belongs to. Default: from the URL of the remote `origin`, else `local`.")
@click.option("--name", "project", help="The project's name. Default: from that URL, else the directory's.")
@click.option("--deployment", default="main", show_default=True, help="The first deployment's name.")
@click.option("--file", "files", multiple=True, metavar="E/F=PATH|URL", help="Bytes of endpoint E's file F.")
@click.option("--commit", is_flag=True, help="Commit what was written.")
@state_option
def init(
    *, owner: str | None, project: str | None, deployment: str, files: tuple[str, ...], commit: bool, state: Path | None
) -> int:
    r"""Write the declared files of a repository that has a valohai.yaml. They are project, deployment, version, alias.

    Nothing is overwritten, and nothing is committed unless asked for. CODEOWNERS gets the lines that guard production.

    \b
    Examples:
      pointsman init
      pointsman init --owner ruksi --file predict-digit/model=models/mnist.npz --commit
    """
    here = Path.cwd().resolve()
    repository = Repository.around(here)
    if repository is None or repository.work_tree is None:
        raise Stalled(f"{here} is not in a git repository", hint="git init, and commit the code")
    root = repository.work_tree
    _require_new(root)
    code = Code(root, _code_path(here, root))
    endpoints = _endpoints(code)
    if endpoints is None:
        return ERROR
    given = sources_of(files, code, find_place(None, state).state)
    sources, missing = _sources(endpoints, given, code, repository)
    found = _Found(code, repository, endpoints, sources, missing)
    remote = owner_and_name(_remote(root))
    beginning = _beginning(
        found, owner or (remote[0] if remote else None), project or (remote[1] if remote else None), deployment
    )
    _write(found, beginning, commit=commit)
    return OK


def _require_new(root: Path) -> None:
    if (root / DECLARED).exists():
        hint = "pointsman validate checks it; pointsman version create adds a version"
        raise Stalled(f"{root / DECLARED} is there already, and nothing is overwritten", hint=hint)


def _code_path(here: Path, root: Path) -> str:
    """The nearest directory from here up to the root that has a valohai.yaml, relative to the root."""
    for directory in (here, *here.parents):
        if (directory / _VALOHAI).is_file():
            path = directory.relative_to(root).as_posix()
            return "" if path == "." else path
        if directory == root:
            break
    hint = "write one with an `- endpoint:` item: name, image, and server-command or wsgi"
    raise Stalled(f"there is no {_VALOHAI} in {here} or above it", hint=hint)


def _endpoints(code: Code) -> Endpoints | None:
    """The endpoints of the code's valohai.yaml; None, after all mistakes were printed, where it has some."""
    path = code.root / code.path / _VALOHAI
    with path.open("rb") as file:
        data = file.read(_LARGEST)
    endpoints, diagnostics = read_valohai(data, path.relative_to(code.root).as_posix())
    for diagnostic in diagnostics:
        note(str(diagnostic))
    if any(d.is_error for d in diagnostics):
        return None
    if not endpoints:
        raise Stalled(f"{path} declares no endpoint", hint="add an `- endpoint:` item: name, image, server-command or wsgi")
    return endpoints


def _sources(
    endpoints: Endpoints, given: Sources, code: Code, repository: Repository
) -> tuple[Sources, tuple[tuple[str, str], ...]]:
    """Where each declared file has its bytes: as given, else at its own path in the code; and those that have none."""
    wanted = {(e.name, file.name): file.path for e in endpoints.values() for file in e.files}
    for endpoint, name in given.keys() - wanted.keys():
        raise Stalled(f"valohai.yaml declares no file `{name}` of an endpoint `{endpoint}`", hint=_known(wanted))
    sources = dict(given)
    for key, path in wanted.items():
        if key not in sources and _is_committed(repository, f"{code.path}/{path}".lstrip("/")):
            sources[key] = {"path": path}
    return sources, tuple(key for key in wanted if key not in sources)


def _known(wanted: dict[tuple[str, str], str]) -> str:
    return f"known: {', '.join('/'.join(key) for key in wanted)}" if wanted else "no endpoint declares a file"


def _is_committed(repository: Repository, path: str) -> bool:
    return bool(repository.head() and repository.git().text("ls-tree", "HEAD", "--", path))


def _remote(root: Path) -> str:
    git = Git(root, alone=False)
    return git.text("remote", "get-url", "origin") if "origin" in git.text("remote").split() else ""


def _beginning(found: _Found, owner: str | None, project: str | None, deployment: str) -> Beginning:
    if owner is None:
        note(f"no remote `origin` says who the project belongs to: owner `{NOBODY}`, and no CODEOWNERS (else: --owner NAME)")
    return Beginning(
        account=owner,
        project=declared_name(project or found.code.root.name),
        deployment=declared_name(deployment),
        code_path=found.code.path,
        version=None if found.missing else next_version_name(date.today(), ()),
        sources=found.sources,
    )


def _write(found: _Found, beginning: Beginning, *, commit: bool) -> None:
    root = found.code.root
    if commit:
        require_branch(root, "git switch --create NAME")
        require_code(found.code, DECLARED)
    edits = [FileEdit(path, None, text.encode()) for path, text in beginning.files(DECLARED).items()]
    edits += _owners_edit(root, beginning)
    made = write_and_commit(root, edits, f"Declare {beginning.owner}/{beginning.project}", no_commit=not commit)
    for edit in edits:
        click.echo(edit.path)
    if found.missing:
        note("no version yet: these files have no bytes in git")
        for endpoint, name in found.missing:
            note(f"  {endpoint}: file '{name}'")
        wanted = " ".join(f"--file {endpoint}/{name}=PATH|URL" for endpoint, name in found.missing)
        note(f"next: commit these files, then pointsman version create {wanted}")
        note(f"      and pointsman promote {beginning.alias} VERSION -d {beginning.deployment} --create")
    elif made:
        tell_commit(root, made, None, "pointsman up")
    else:
        add = " ".join(dict.fromkeys(_top(edit.path) for edit in edits))
        note(f"next: git add {add} && git commit, then pointsman up")


def _top(path: str) -> str:
    return DECLARED if path.startswith(f"{DECLARED}/") else path


def _owners_edit(root: Path, beginning: Beginning) -> list[FileEdit]:
    """The CODEOWNERS file that is there already, else a new one where the forge of this repository looks."""
    present = next((path for path in CODEOWNERS if (root / path).is_file()), None)
    path = present or (CODEOWNERS[0] if (root / ".github").is_dir() else "CODEOWNERS")
    before = (root / path).read_bytes() if present else None
    lines = owners_lines(DECLARED, beginning)
    after = with_lines((before or b"").decode(errors="surrogateescape"), lines).encode(errors="surrogateescape")
    return [FileEdit(path, before, after)] if after != (before or b"") else []
