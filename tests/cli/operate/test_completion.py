"""Completion: the script, and what it asks of the program."""

from __future__ import annotations

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from controller.cli.app import cli
from controller.cli.completion import completion
from tests.cli.operate.conftest import Person

pytestmark = pytest.mark.system


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_goes_to_stdout_and_the_next_step_to_stderr(shell: str) -> None:
    done = CliRunner().invoke(completion, [shell])
    assert done.exit_code == 0
    assert f"_POINTSMAN_COMPLETE={shell}_complete" in done.stdout
    assert done.stderr.startswith("hint: ")


def test_deployments_then_their_aliases_are_completed(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(person.repository.root)
    asked = BashComplete(cli, {}, "pointsman", "_POINTSMAN_COMPLETE")
    assert [item.value for item in asked.get_completions(["status"], "lo")] == ["local"]
    assert [item.value for item in asked.get_completions(["history"], "local/")] == ["local/production"]
    assert asked.get_completions(["status"], "x") == []
