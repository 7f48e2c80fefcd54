"""`pointsman apply --once`: bring what is declared to serve, say how it went, and end: for CI."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import click

from controller.cli.context import environment, find_place, state_option
from controller.cli.exit_codes import ERROR, OK
from controller.cli.interruption import interrupted_once
from controller.cli.narrate import lines_of
from controller.cli.output import hint, note
from controller.cli.progress import BuildProgress
from controller.cli.runtime.choice import choose, runtime_option
from controller.cli.serving import Served, Serving, serve
from controller.engine.controller import Controller
from controller.model.changes import Plan
from controller.plan.report import summary

_LOOK_EVERY = 0.1


@click.command()
@click.argument("repository", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--once", is_flag=True, required=True, help="Work until everything declared serves or has failed, then end.")
@click.option("--committed", is_flag=True, help="Only what the checked-out branch has committed.")
@click.option("--timeout", type=click.FloatRange(min=0), default=900.0, show_default=True, help="Seconds to wait at most.")
@runtime_option
@state_option
def apply(*, repository: Path | None, once: bool, committed: bool, timeout: float, runtime: str, state: Path | None) -> int:
    r"""Build, start and switch everything declared, check it over HTTP, and end it again.

    The exit code says whether all of it would serve: 0 yes, 1 no, with the reasons on stderr. Nothing keeps running
    afterwards; `pointsman up` serves.

    \b
    Examples:
      pointsman apply --once                   does this commit come to serve?
      pointsman apply --once --timeout 300
    """
    del once  # required, so that serving for good is never asked for by accident
    place = find_place(repository, state)
    choice = choose(runtime, environment())
    note(choice.sentence)
    served = Served(place, committed=committed, watch=False, runtime=choice)
    with interrupted_once() as interruption, BuildProgress() as progress, ExitStack() as opened:
        with interruption.deferred():
            serving = opened.enter_context(serve(served, progress.report, _untold))
        return _outcome(serving, time.monotonic() + timeout)


def _outcome(serving: Serving, deadline: float) -> int:
    controller = serving.controller
    while time.monotonic() < deadline:
        plans = _plans(controller)
        if plans and all(plan.is_settled or _is_over(plan) for plan in plans):
            return _told(controller, plans)
        if controller.publications() and not controller.units():
            return _told(controller, [])
        time.sleep(_LOOK_EVERY)
    code = _told(controller, _plans(controller))
    note("error: it took longer than --timeout allows")
    return code or ERROR


def _plans(controller: Controller) -> list[Plan]:
    """The newest plan of every unit, or nothing while one has none yet."""
    results = [controller.result(unit) for unit in controller.units()]
    return [result.plan for result in results if result] if all(results) else []


def _is_over(plan: Plan) -> bool:
    """Nothing more will happen by itself: only a person or a new commit helps."""
    return plan.is_empty and bool(plan.holds or plan.failures) and all(gate.clock for gate in plan.gates)


def _told(controller: Controller, plans: list[Plan]) -> int:
    mistakes = [d for p in controller.publications() for d in p.declared.diagnostics]
    for diagnostic in mistakes:
        note(str(diagnostic))
    for plan in plans:
        for line in lines_of(plan):
            note(line)
        click.echo(f"{plan.unit}: {'serves' if plan.is_settled else summary(plan)}")
    if not plans and not mistakes:
        hint("declare a deployment: pointsman init")
    return OK if plans and all(p.is_settled for p in plans) and not any(d.is_error for d in mistakes) else ERROR


def _untold(unit: str, event: Mapping[str, object]) -> None:
    """Events are kept in the history; the outcome is what this command tells."""
