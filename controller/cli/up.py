"""`pointsman up`: serve a repository on this machine, with or without a declared tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from controller.cli.context import environment, find_place, state_option
from controller.cli.interruption import interrupted_once
from controller.cli.narrate import Narrator
from controller.cli.output import hint, note
from controller.cli.progress import BuildProgress
from controller.cli.runtime.choice import choose, runtime_option
from controller.cli.serving import Served, Serving, serve
from controller.cli.subject_lines import SubjectLines
from controller.model.declared import FileContent
from controller.source.adhoc import GivenFiles

_GIVEN = re.compile(r"(?P<endpoint>[^/=]+)/(?P<file>[^=]+)=(?P<where>.+)")


@click.command()
@click.argument("repository", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--file", "files", multiple=True, metavar="E/F=PATH|URL", help="Bytes of endpoint E's file F (no declared tree).")
@click.option("--port", type=click.IntRange(1, 65535), help="The gateway's port. Default: 8080 or the next free one; kept.")
@click.option("--committed", is_flag=True, help="Serve what the checked-out branch has committed, not the files on the disk.")
@runtime_option
@state_option
def up(
    *, repository: Path | None, files: tuple[str, ...], port: int | None, committed: bool, runtime: str, state: Path | None
) -> None:
    r"""Serve a repository on this machine and follow its changes, until Ctrl-C.

    Without a `pointsman/` directory the working tree is served as version `work` under the alias `latest`; nothing is
    written to the repository. With one, every target is mapped to the embedded cluster.

    \b
    Examples:
      pointsman up                                    the repository here
      pointsman up ~/src/tensorflow-example --file predict-digit/model=model.h5
      pointsman up --committed                        only what is committed
      pointsman up --runtime docker                   endpoints run from their own base images
    """
    place = find_place(repository, state)
    if files and place.has_declared_tree:
        raise click.UsageError("--file is for a repository without pointsman/; there, the version's file names its bytes")
    given = given_files(files)
    note(f"pointsman: serving {place.source}  (state: {place.state.root})")
    narrator = Narrator(note, SubjectLines(place.source))
    choice = choose(runtime, environment())
    note(f"pointsman: {choice.sentence}")
    served = Served(place, committed=committed, files=given, port=port, runtime=choice)
    with interrupted_once() as interruption, BuildProgress() as progress, ExitStack() as opened:
        with interruption.deferred():
            serving = opened.enter_context(serve(served, progress.report, narrator.hear))
        note(f"pointsman: gateway at {serving.url}  (Ctrl-C ends it)")
        opened.enter_context(following(narrator, serving))
        interruption.wait()


@contextmanager
def following(narrator: Narrator, serving: Serving) -> Iterator[None]:
    """Tell what happens meanwhile."""
    narrator.follow(serving.controller, serving.url)
    try:
        yield
    finally:
        narrator.stop()
        note("pointsman: stopping")


def given_files(values: tuple[str, ...]) -> GivenFiles:
    """`--file` values by (endpoint, file): a path on this machine, or `URL#sha256=...`."""
    return dict(_given(value) for value in values)


def _given(value: str) -> tuple[tuple[str, str], Path | FileContent]:
    match = _GIVEN.fullmatch(value)
    if not match:
        raise click.UsageError(f"--file {value}: write ENDPOINT/FILE=PATH or ENDPOINT/FILE=URL#sha256=DIGEST")
    name = (match["endpoint"], match["file"])
    if "://" not in match["where"]:
        path = Path(match["where"]).expanduser()
        if not path.is_file():
            raise click.UsageError(f"--file {value}: {path} is no file")
        return name, path.resolve()
    url, _, digest = match["where"].partition("#sha256=")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        hint(f"curl -sL {url} | sha256sum")
        raise click.UsageError(f"--file {value}: a URL needs its digest: {url}#sha256=<64 hex digits>")
    return name, FileContent(url=url, sha256=digest)
