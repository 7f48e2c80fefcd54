"""`status` for a person: units, their aliases and versions, and below them why something waits and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from rich.text import Text

from controller.cli.status_document import Overview
from controller.cli.text_table import table
from controller.cli.unit_status import AliasStatus, UnitStatus
from controller.cli.version_status import VersionStatus
from controller.cli.workload_status import EndpointStatus
from controller.model.conditions import Condition, Health
from controller.model.source import Revision
from controller.plan.grouping import grouped

_COLOURS = {
    Health.HEALTHY: "green",
    Health.PROGRESSING: "yellow",
    Health.DEGRADED: "red",
    Health.SUSPENDED: "magenta",
    Health.MISSING: "yellow",
    Health.UNKNOWN: "dim",
}


def lines(found: Overview, *, wide: bool = False) -> Iterator[Text]:
    """The whole overview, line by line; colours are added where the output is a terminal."""
    if found.is_left_alone:
        yield Text("no controller runs here: pointsman up starts one", "yellow")
    for error in found.errors:
        yield Text(f"! {error if found.targets else f'source: {error}'}", "red")
    for note in found.notes:
        yield Text(f"! {note}", "yellow")
    for diagnostic in found.diagnostics:
        yield Text(f"! {diagnostic}", "red" if diagnostic.is_error else "yellow")
    for number, unit in enumerate(found.units):
        if number:
            yield Text()
        yield from _unit(unit, found.revision, wide=wide, several=len(found.targets) > 1)


def short(revision: str) -> str:
    """`main@4f1c0e1234`, or the text itself where it is no revision."""
    try:
        parsed = Revision.parse(revision)
    except ValueError:
        return revision
    return f"{parsed.branch}@{parsed.short}"


def indented(message: str) -> str:
    """An installer's lines stay apart, below the first one."""
    return message.replace("\n", "\n    ")


def clock(at: float) -> str:
    """A moment in UTC, as `2018-10-03 14:05:09Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _unit(status: UnitStatus, revision: str | None, *, wide: bool, several: bool) -> Iterator[Text]:
    health = status.health
    head = Text(f"{status.unit}{f' on {status.target}' if several else ''}  ", "bold")
    head.append(health.health.value, _COLOURS[health.health])
    head.append(f"  {_revisions(status, revision)}", "not bold")
    yield head
    if health.message and health.message not in _said(status):
        yield Text(f"  {health.message}")
    yield from _recorded_waits(status)
    if wide:
        yield from _table(["CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"], map(_condition_row, status.conditions))
    yield from _table(["ALIAS", "VERSION", "GIT WANTS", "STATE"], map(_alias_row, status.aliases))
    yield from _table(["URL", "READY", "HEALTH"], (_endpoint_row(e) for a in status.aliases for e in a.endpoints))
    yield from _table(["VERSION", "COMMIT", "STATE", "READY"], map(_version_row, status.versions))
    if wide:
        yield from _table(["URL", "READY", "HEALTH"], (_endpoint_row(e) for v in status.versions for e in v.endpoints))
    yield from _reasons(status)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[Text]:
    return table(columns, rows, indent="  ")


def _revisions(status: UnitStatus, revision: str | None) -> str:
    """`revision` is what git says now: a unit that it changes nothing of stays at the one before."""
    attempted, applied = short(status.attempted), short(status.applied)
    if not attempted:
        return "nothing applied yet"
    if status.settled and applied and revision not in (None, status.applied):
        return f"at {applied} (nothing changed here since)"
    return f"at {applied}" if attempted == applied else f"at {applied or 'nothing yet'}, attempting {attempted}"


def _said(status: UnitStatus) -> set[str]:
    """Messages that stand further below anyway."""
    items = (*status.gates, *status.failures)
    return {item.message for item in items} | {f"held: {hold.message}" for hold in status.holds}


def _recorded_waits(status: UnitStatus) -> Iterator[Text]:
    """What the record says is waited for, where no plan says it: a failure of something else must not hide it."""
    waits = [c.message for c in status.conditions if c.type == "Reconciling" and c.message]
    if status.settled is None and waits and waits[0] != status.health.message:
        yield Text(f"  … {indented(waits[0])}", "yellow")


def _condition_row(condition: Condition) -> Sequence[str]:
    return condition.type, condition.status, condition.reason, clock(condition.since), condition.message


def _alias_row(alias: AliasStatus) -> Sequence[str]:
    wants = alias.wants or "-"
    return alias.name, alias.version or "-", f"{wants}, pinned to {alias.pinned}" if alias.pinned else wants, alias.state


def _endpoint_row(endpoint: EndpointStatus) -> Sequence[str]:
    words = "" if endpoint.health is Health.HEALTHY or not endpoint.message else f": {endpoint.message}"
    where = endpoint.url or endpoint.workload or endpoint.endpoint
    return where, f"{endpoint.ready}/{endpoint.wanted}", f"{endpoint.health.value}{words}"


def _version_row(version: VersionStatus) -> Sequence[str]:
    commit = f"{(version.commit or '-')[:10]}{' (provisional)' if version.provisional else ''}"
    state = version.state
    if version.aliases:
        state += f" {', '.join(version.aliases)}"
    if version.until:
        state += f" until {clock(version.until)}"
    ready = ", ".join(f"{e.endpoint} {e.ready}/{e.wanted}" for e in version.endpoints)
    reason = (
        f"  {version.messages[0].splitlines()[0]}"
        if version.messages and version.state in ("failed", "waiting", "held")
        else ""
    )
    return version.name, commit, state, f"{ready}{reason}" or "-"


def _reasons(status: UnitStatus) -> Iterator[Text]:
    for gate in grouped(status.gates):
        until = f" (until {clock(gate.until)})" if gate.until and gate.clock else ""
        yield Text(f"  … {gate.message}{until}", "dim" if gate.clock else "yellow")
    for message in dict.fromkeys(failure.message for failure in grouped(status.failures)):
        yield Text(f"  ! {indented(message)}", "red")
    for hold in status.holds:
        yield Text(f"  held: {hold.message}", "magenta")
        if hold.hint:
            yield Text(f"    hint: {hold.hint}")
    for warning in status.warnings:
        yield Text(f"  ! {warning}", "yellow")
