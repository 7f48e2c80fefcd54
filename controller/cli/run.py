"""`pointsman run`: the daemon over many repositories and clusters, as one configuration file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import click

from controller.cli.context import state_home
from controller.cli.exit_codes import ERROR, OK
from controller.cli.interruption import interrupted_once
from controller.cli.output import note
from controller.cli.running.builders import with_builder
from controller.cli.running.logs import start_logging
from controller.cli.running.meaning import meaning
from controller.cli.running.missing_contexts import missing_contexts
from controller.cli.running.named_files import unreadable_files
from controller.cli.running.refused_sources import refused_sources
from controller.cli.running.service import running
from controller.loading.configuration import load_configuration
from controller.loading.schema_problems import did_you_mean
from controller.model.configuration import BUILDERS, Configuration, TargetSettings
from controller.model.diagnostics import Diagnostic
from controller.model.errors import Stalled


@click.command()
@click.option(
    "--config",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="POINTSMAN_CONFIG",
    help="The configuration: sources, grants, targets (docs/reference/configuration.md).",
)
@click.option(
    "--targets", "only", metavar="A,B", default="", help="Work on these of its targets alone; other processes have the rest."
)
@click.option(
    "--builder",
    type=click.Choice(BUILDERS),
    help="How images get into registries, whatever the configuration says: append layers there, or have a Docker Engine push.",
)
@click.option("--check", is_flag=True, help="Validate the configuration, say what it means, and end.")
@click.pass_context
def run(ctx: click.Context, file: Path, only: str, builder: str | None, check: bool) -> int:
    r"""Follow repositories and serve what they declare, on Kubernetes and embedded clusters.

    It ends by SIGTERM or Ctrl-C. A changed configuration counts at the next start; what runs on the targets is not touched
    by a restart.

    \b
    Examples:
      pointsman run --config controller.yaml --check
      pointsman run --config controller.yaml
      pointsman run --config controller.yaml --targets us-east     only its own cluster
      pointsman run --config controller.yaml --builder docker      images from a Docker Engine
    """
    configuration = _read(file.absolute())
    if configuration is None:
        return ERROR
    configuration = with_builder(configuration, builder) if builder else configuration
    chosen = _chosen(only, configuration.targets)
    if check:
        for line in meaning(configuration, chosen):
            click.echo(line)
        return OK
    start_logging(configuration.log, verbose=bool(ctx.find_root().params.get("verbose")))
    with interrupted_once() as interruption, ExitStack() as opened:
        with interruption.deferred():
            opened.enter_context(running(configuration, chosen))
        return interruption.wait()


def _read(file: Path) -> Configuration | None:
    """The configuration, or None after its mistakes were told."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Stalled(f"{file} cannot be read: {error.strerror}") from error
    loaded = load_configuration(data, file, state_home=state_home())
    found = loaded.configuration
    diagnostics = [*loaded.diagnostics, *(_mistakes_of(found) if found else ())]
    for diagnostic in diagnostics:
        note(str(diagnostic))
    return None if any(d.is_error for d in diagnostics) else found


def _mistakes_of(found: Configuration) -> Iterator[Diagnostic]:
    """What is wrong with what a configuration names, as far as this machine alone can tell."""
    unreadable = tuple(unreadable_files(found))
    yield from unreadable
    yield from () if unreadable else missing_contexts(found)
    yield from refused_sources(found)


def _chosen(only: str, targets: Mapping[str, TargetSettings]) -> frozenset[str]:
    names = frozenset(name.strip() for name in only.split(",") if name.strip())
    for name in sorted(names - targets.keys()):
        raise click.UsageError(f"--targets: there is no target `{name}`; {did_you_mean(name, targets)}")
    return names or frozenset(targets)
