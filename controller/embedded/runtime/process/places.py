"""The environment and command line of a process: what its Deployment says, with an image's paths led to the real ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.embedded.runtime.process.process_table import MARKER
from controller.embedded.runtime.specification import SHIM, ReplicaSpec
from controller.embedded.runtime.variables import expand
from controller.model.images import CODE_DIRECTORY, OWN_DIRECTORY
from controller.model.ports import UnpackedImage

_END = r"(?![\w.-])"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of an image lie on this host, for one replica."""

    code: Path
    home: Path
    temporary: Path
    environment: Path
    unpacked: UnpackedImage

    def translate(self, text: str) -> str:
        """The text with the image's own directories replaced by the places of this host."""
        packages = self.unpacked.packages or self.environment
        for inside, outside in (
            (f"{OWN_DIRECTORY}/python", packages),
            (OWN_DIRECTORY, self.unpacked.own),
            (CODE_DIRECTORY, self.code),
        ):
            text = str(outside).join(re.split(re.escape(inside) + _END, text))
        return text


def process_environment(
    declared: Mapping[str, str], places: Places, ports: Mapping[int, int], *, port: int, marker: str, search_path: str
) -> dict[str, str]:
    """Only what the Deployment says, plus what an image or a kubelet would give; nothing of the controller's own."""
    translated = {name: places.translate(value) for name, value in declared.items()}
    own = [str(places.home / ".local/bin"), str(places.environment / "bin")]
    path = ":".join(filter(None, [*own, translated.get("PATH"), search_path]))
    return {
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **translated,
        "PATH": path,
        "HOME": str(places.home),
        "TMPDIR": str(places.temporary),
        "PORT": str(ports[port]),
        "POINTSMAN_PORTS": ",".join(f"{declared}:{own}" for declared, own in sorted(ports.items())),
        MARKER: marker,
    }


def command_line(spec: ReplicaSpec, places: Places, declared: Mapping[str, str], ports: Mapping[int, int]) -> list[str]:
    """The command with places translated; the shim is told its ports of this host, the command behind it is mapped."""
    command = [places.translate(expand(part, declared)) for part in spec.command]
    if SHIM not in spec.command:
        return command
    end = command.index("--") if "--" in command else len(command)
    options = [_own_port(command, i, ports) for i in range(end)]
    script = spec.command.index(SHIM) + 1
    return [*options[:script], "--host", "127.0.0.1", *options[script:], *command[end:]]


def _own_port(command: Sequence[str], index: int, ports: Mapping[int, int]) -> str:
    text = command[index]
    if index and command[index - 1] in ("--listen", "--backend") and text.isdigit():
        return str(ports.get(int(text), int(text)))
    return text
