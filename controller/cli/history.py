"""`pointsman history`: where aliases led, who moved them, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import click

from controller.cli.alias_past import Chapter, Event, chapters
from controller.cli.chosen import Chosen, complete_targets
from controller.cli.context import Place, find_place
from controller.cli.output import note, output_option, print_lines, print_rows
from controller.cli.past_events import Past, embedded_past, recorded_past
from controller.cli.reach.opening import chosen_clusters
from controller.cli.reach.options import Where, where_options_without_n
from controller.cli.status_text import clock
from controller.cli.text_table import table
from controller.cli.tree import tree_at
from controller.loading.loader import load
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled
from controller.model.identity import UnitKey, slug
from controller.source import adhoc
from controller.source.history import alias_history

_ALIAS_FILE = re.compile(r"deployments/(?P<deployment>[^/]+)/aliases/(?P<alias>[^/]+)\.yaml")
_COLUMNS = ("WHEN", "ALIAS", "VERSION", "COMMIT", "WHO", "OUTCOME", "SUBJECT")


@click.command()
@click.argument("target", metavar="[D[/ALIAS]]", required=False, shell_complete=complete_targets)
@click.option("-n", "limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many changes.")
@output_option
@where_options_without_n
def history(target: str | None, limit: int, output: str, where: Where) -> None:
    r"""Show where aliases led, newest first, and since when each version served.

    What git says is complete. What happened on the target is remembered for a while, and only where it was served: on
    Kubernetes by the unit's record, which keeps the last ten versions of each alias.

    \b
    Examples:
      pointsman history
      pointsman history americas/production -n 5
      pointsman history -o json
    """
    found = sorted(_all_chapters(where, Chosen.parse(target)), key=lambda chapter: chapter.at, reverse=True)[:limit]
    if not found and output in ("table", "wide"):
        note("no alias has led anywhere yet")
        return
    if output in ("table", "wide"):
        print_lines(table(_COLUMNS, map(_text_row, found)))
    else:
        print_rows([_row(chapter) for chapter in found], output, columns=(), name="commit")


def _all_chapters(where: Where, chosen: Chosen) -> Iterator[Chapter]:
    place = find_place(None, where.state)
    clusters = chosen_clusters(where)
    if not clusters:
        return _chapters(place, chosen, embedded_past(place))
    past = recorded_past(clusters, where)
    if not place.has_declared_tree:
        return _without_git(past, chosen)
    return _chapters(place, chosen, lambda unit: past.get(unit, ()))


def _without_git(past: Mapping[UnitKey, tuple[Event, ...]], chosen: Chosen) -> Iterator[Chapter]:
    """What the targets alone remember, of all projects."""
    for unit, events in sorted(past.items()):
        aliases = {str(event["subject"]) for event in events if event["event"] == "confirmed"}
        for alias in sorted(aliases):
            if chosen.includes(unit.deployment, alias):
                yield from chapters(unit.deployment, alias, (), events)


def _chapters(place: Place, chosen: Chosen, past: Past) -> Iterator[Chapter]:
    if not place.has_declared_tree:
        unit = UnitKey(adhoc.OWNER, slug(place.source.resolve().name, 63), adhoc.DEPLOYMENT)
        yield from chapters(adhoc.DEPLOYMENT, adhoc.ALIAS, (), past(unit))
        return
    tree = tree_at(place)
    declared, git = load(tree.snapshot), tree.git()
    for path, deployment, alias in _alias_files(tree.snapshot.changed, tree.directory, chosen):
        unit = UnitKey(declared.owner, declared.project, deployment)
        yield from chapters(deployment, alias, alias_history(git, path), past(unit))


def _alias_files(paths: Iterable[str], directory: str, chosen: Chosen) -> list[tuple[str, str, str]]:
    """(path, deployment, alias) of every alias file that is or was there. Raises Stalled where the chosen one never was."""
    matches = [(path, _ALIAS_FILE.fullmatch(path.removeprefix(f"{directory}/"))) for path in sorted(paths)]
    known = [(path, match["deployment"], match["alias"]) for path, match in matches if match]
    found = [item for item in known if chosen.includes(item[1], item[2])]
    if chosen.deployment and not found:
        names = {f"{deployment}/{alias}" if chosen.alias else deployment for _, deployment, alias in known}
        asked = f"{chosen.deployment}/{chosen.alias}" if chosen.alias else chosen.deployment
        raise Stalled(f"git never had an alias of `{asked}`", hint=did_you_mean(asked, names))
    return found


def _row(chapter: Chapter) -> dict[str, object]:
    return {
        "at": chapter.at,
        "deployment": chapter.deployment,
        "alias": chapter.alias,
        "version": chapter.version,
        "commit": chapter.commit,
        "author": chapter.author,
        "subject": chapter.subject,
        "confirmedAt": chapter.confirmed_at,
        "events": [{"at": h.at, "event": h.kind, "message": h.message} for h in chapter.happenings],
    }


def _text_row(chapter: Chapter) -> tuple[str, ...]:
    version = "(removed)" if chapter.version is None else chapter.version or "(unreadable)"
    outcome = chapter.happenings[-1].text if chapter.happenings else ""
    if chapter.confirmed_at and outcome == "serves":
        outcome = f"serves since {clock(chapter.confirmed_at)}"
    alias = f"{chapter.deployment}/{chapter.alias}"
    who = chapter.author or "-"
    return clock(chapter.at), alias, version, (chapter.commit or "-")[:10], who, outcome or "-", chapter.subject or "-"
