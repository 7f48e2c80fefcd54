"""What the demo does: copy, serve, wait until everything answers, then wait for a person or give the tour."""

from __future__ import annotations

import shlex
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from controller.cli.answering import await_answers
from controller.cli.context import environment, search_path
from controller.cli.interruption import Interruption
from controller.cli.narrate import Narrator
from controller.cli.output import note
from controller.cli.progress import BuildProgress
from controller.cli.runtime.choice import choose
from controller.cli.scratch import Scratch, scratch
from controller.cli.serving import Served, Serving, serve
from controller.cli.subject_lines import SubjectLines
from controller.cli.tour import give_tour
from controller.cli.up import following

TRIED = "production 20181003.0 -d americas"


def run(interruption: Interruption, *, tour: bool, keep: bool, port: int | None, runtime: str) -> int:
    """The demo from beginning to end. Returns the exit code; raises what `serve` raises."""
    choice = choose(runtime, environment())
    with scratch(keep=keep) as copy:
        note(f"  repository: {copy.directory}")
        if keep:
            note(f"  kept at the end; to serve it again: {own_command()} up --committed {shlex.quote(str(copy.directory))}")
        note(f"  {choice.sentence}")
        narrator = Narrator(note, SubjectLines(copy.directory))
        served = Served(copy.place, committed=True, port=port, runtime=choice)
        with BuildProgress() as progress, ExitStack() as opened:
            with interruption.deferred():
                serving = opened.enter_context(serve(served, progress.report, narrator.hear))
            opened.enter_context(following(narrator, serving))
            urls = await_answers(serving)
            narrator.catch_up()
            narrator.say(f"all {len(urls)} URLs answer; the gateway lists them: {serving.url}/")
            if tour:
                return give_tour(copy, serving, narrator.say)
            note(invitation(copy, serving))
            return interruption.wait()


def invitation(copy: Scratch, serving: Serving) -> str:
    """What to try from a second terminal: each command can be pasted as it is, so remarks have lines of their own."""
    pointsman = own_command()
    question = f"curl -F image=@digits/9.png {serving.url}/ruksi/mnist/americas/production/predict-digit"
    trials = (
        ("production's model takes this 9 for a 2:", f"cd {shlex.quote(str(copy.directory))}", question),
        ("a commit releases the better one:", f"{pointsman} promote {TRIED}", f"{pointsman} status --wait", question),
        ("and a revert takes it back:", "git revert --no-edit HEAD", f"{pointsman} status --wait", question),
    )
    shown = "\n".join("\n".join((f"  {remark}", *(f"      {c}" for c in commands), "")) for remark, *commands in trials)
    return f"\nTry this in a second terminal:\n\n{shown}\nOr let it show itself: {pointsman} demo --tour\n"


def own_command() -> str:
    """How this program is called from a shell: by its name where that finds it, else by its path."""
    own = Path(sys.executable).with_name("pointsman")
    found = shutil.which("pointsman", path=search_path())
    if found and Path(found).resolve() == own.resolve():
        return "pointsman"
    return shlex.quote(str(own)) if own.is_file() else f"{shlex.quote(sys.executable)} -m controller"
