"""Which target a deployment is served on."""

from __future__ import annotations

from dataclasses import dataclass

from controller.model.declared import Deployment


@dataclass(frozen=True, slots=True)
class Placing:
    """The configured targets and what a deployment without `target` means.

    `everywhere` maps whatever is declared to the only target: what `up` does on a laptop.
    """

    names: frozenset[str]
    default: str | None = None
    everywhere: bool = False

    def target_of(self, deployment: Deployment) -> str | None:
        """The name of its target, which may not be configured; None where it names none and there is no default."""
        return self.default if self.everywhere else deployment.target or self.default

    @property
    def place_of_mistakes(self) -> str | None:
        """Where a deployment is told of whose mistake hides its target."""
        return self.default or min(self.names, default=None)
