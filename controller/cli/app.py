"""The `pointsman` command."""

import click


@click.group()
def main() -> None:
    """A GitOps controller for versioned inference services."""
