"""`pointsman completion`: what a shell needs to complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from controller.cli.output import hint

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_INSTALL = {
    "bash": "pointsman completion bash > ~/.local/share/bash-completion/completions/pointsman",
    "zsh": "pointsman completion zsh > a directory of $fpath, as _pointsman",
    "fish": "pointsman completion fish > ~/.config/fish/completions/pointsman.fish",
}
_PROGRAM = "pointsman"
_VARIABLE = "_POINTSMAN_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(sorted(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    r"""Print the completion script for a shell. It asks pointsman itself for deployments, aliases and versions.

    \b
    Examples:
      source <(pointsman completion bash)
      pointsman completion fish > ~/.config/fish/completions/pointsman.fish
    """
    script = _SHELLS[shell](context.find_root().command, {}, _PROGRAM, _VARIABLE)
    # `BashComplete.source` would start bash to ask for its version; the script itself is all that is wanted here.
    click.echo(script.source_template % script.source_vars())
    hint(f"to keep it: {_INSTALL[shell]}")
