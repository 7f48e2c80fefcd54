"""`pointsman plan`: what a controller would do with the files here, and why the rest would wait."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import click

from controller.cli.context import Place, find_place
from controller.cli.exit_codes import DIFFERENCES, ERROR, OK
from controller.cli.finality import may_change
from controller.cli.output import hint, note, print_document
from controller.cli.previews import Preview, preview
from controller.cli.reach.options import Where, where_options
from controller.cli.selection import complete_deployments
from controller.cli.validate import diagnostic_json
from controller.loading.schema_problems import did_you_mean
from controller.model.changes import Plan
from controller.model.declared import Version
from controller.model.errors import Stalled
from controller.plan import clean_up_report
from controller.plan.report import fingerprint, to_json, to_markdown, to_text


@click.command()
@click.argument("deployments", nargs=-1, shell_complete=complete_deployments)
@click.option(
    "-o", "--output", type=click.Choice(("text", "markdown", "json")), default="text", show_default=True, help="Output format."
)
@click.option("--exit-code", is_flag=True, help="End with 2 where there is something to do, to wait for or held.")
@click.option("--all-fields", is_flag=True, help="Print every field that changes, not only the first ones.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Plan for a Kubernetes target of this controller.yaml: --target names it, else its default.",
)
@where_options
def plan(
    *, deployments: tuple[str, ...], output: str, exit_code: bool, all_fields: bool, config: Path | None, where: Where
) -> int:
    r"""Print what a controller would do with the files here. Changes nothing.

    The working directory is compared with its target, by the same rules that the controller follows. A commit that is
    not final before the merge is printed as provisional. Ends with 1 where the files have a mistake.

    \b
    Examples:
      pointsman plan
      pointsman plan americas -o json
      pointsman plan -o markdown --exit-code      for a pull request
      pointsman plan --config controller.yaml --target us-east
    """
    place = find_place(None, where.state)
    if not place.has_declared_tree:
        message = f"{place.source} has no declared tree, so there is nothing to plan: pointsman up serves it as it lies there"
        raise Stalled(message, hint="pointsman status shows what serves; pointsman init declares it")
    made = _preview(place, config, where)
    plans = _chosen(made, deployments)
    if made.is_new:
        note("nothing was ever served from here, so this is the plan for an empty target")
    if output == "json":
        print_document(_document(made, plans), output)
    else:
        click.echo(_text(made, plans, output, all_fields=all_fields), nl=False)
    errors = [d for d in made.declared.diagnostics if d.is_error]
    for diagnostic in made.declared.diagnostics:
        note(str(diagnostic))
    if errors:
        hint("pointsman validate, after mending them")
        return ERROR
    return DIFFERENCES if exit_code and not all(p.is_settled for p in plans) else OK


def _preview(place: Place, config: Path | None, where: Where) -> Preview:
    if config is not None:
        module = importlib.import_module("controller.cli.cluster_preview")
        made: Preview = module.cluster_preview(place, config, where, time.time())
        return made
    if where.names_kubernetes:
        message = "what a Kubernetes target is rendered for stands in its controller's configuration"
        raise Stalled(message, hint="give it too: --config controller.yaml")
    return preview(place, time.time())


def _chosen(made: Preview, deployments: tuple[str, ...]) -> tuple[Plan, ...]:
    known = {p.unit.deployment for p in made.plans}
    for name in deployments:
        if name not in known:
            raise Stalled(f"there is no deployment `{name}`", hint=did_you_mean(name, known) or "pointsman validate")
    return tuple(p for p in made.plans if not deployments or p.unit.deployment in deployments)


def _document(made: Preview, plans: Iterable[Plan]) -> dict[str, object]:
    return {
        "revision": str(made.declared.revision),
        "versions": [
            {"name": v.name, "commit": v.commit, "provisional": v.provisional, "enabled": v.enabled} for v in _versions(made)
        ],
        "diagnostics": [diagnostic_json(d) for d in made.declared.diagnostics],
        "plans": [{**to_json(p), "fingerprint": fingerprint(p)} for p in plans],
        **({"cleanUp": clean_up_report.to_json(made.clean_up)} if made.clean_up else {}),
    }


def _text(made: Preview, plans: Iterable[Plan], output: str, *, all_fields: bool) -> str:
    if output == "markdown":
        cleaned = [clean_up_report.to_markdown(made.clean_up)] if made.clean_up else []
        return "\n".join([*(to_markdown(p) for p in plans), *_version_table(made), *(("", *cleaned) if cleaned else ())]) + "\n"
    versions = [f"version {v.name} = {v.commit[:10]}{_mark(v)}" for v in _versions(made)]
    cleaned = [clean_up_report.to_text(made.clean_up)] if made.clean_up else []
    return "\n".join([*(to_text(p, verbose=all_fields) for p in plans), *versions, *cleaned]) + "\n"


def _version_table(made: Preview) -> Iterator[str]:
    yield "| version | commit |\n|---|---|"
    for version in _versions(made):
        yield f"| `{version.name}` | `{version.commit[:10]}`{_mark(version)} |"


def _versions(made: Preview) -> list[Version]:
    """The enabled ones, provisional where their commit may really still change."""
    enabled = (v for _, v in sorted(made.declared.versions.items()) if v.enabled)
    followed = made.is_followed
    return [replace(v, provisional=may_change(v.provisional, committed=v.committed, followed=followed)) for v in enabled]


def _mark(version: Version) -> str:
    return " (provisional)" if version.provisional else ""
