"""Which runtime a state directory was last used with: a plan or status without a controller means the same images."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass

from controller.embedded.state_directory import StateDirectory
from controller.model.configuration import DOCKER, PROCESS
from controller.model.errors import Unavailable


@dataclass(frozen=True, slots=True)
class KeptRuntime:
    """`platform` is what images are for and `registry` how their names begin, where containers run."""

    name: str = PROCESS
    platform: str = ""
    registry: str = ""

    @property
    def is_docker(self) -> bool:
        return self.name == DOCKER


def kept_runtime(state: StateDirectory) -> KeptRuntime:
    """What was kept last; processes for a directory that says nothing."""
    with suppress(OSError, ValueError, TypeError):
        return KeptRuntime(**json.loads(state.runtime.read_text()))
    return KeptRuntime()


def keep(state: StateDirectory, runtime: KeptRuntime) -> None:
    """Write it down, whole or not at all."""
    temporary = state.runtime.with_name(f".{state.runtime.name}")
    try:
        temporary.write_text(json.dumps(asdict(runtime)))
        temporary.replace(state.runtime)
    except OSError as error:
        raise Unavailable(f"cannot write {state.runtime}: {error.strerror}") from error
