"""One build in a process of its own, for tests of what other processes see.

Prints the image's digest and how many steps (files opened for writing, renames) the build took.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from pathlib import Path

from image_examples import CODE, MemoryCode, in_code, on_disk, silent, spec_of

from controller.images.builder import LayoutBuilder
from controller.model.errors import PointsmanError


class Steps:
    """Counts what changes the disk below `root`, and ends the process by SIGKILL before step `kill_at`."""

    def __init__(self, root: Path, kill_at: int) -> None:
        self.root = str(root)
        self.kill_at = kill_at
        self.count = 0

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in ("os.rename", "os.remove", "os.chmod")) and str(arguments[0]).startswith(self.root):
            self.count += 1
            if self.count == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


BACKEND = """
import os, pathlib, time, zipfile

def build_wheel(directory, settings=None, metadata=None):
    gate = pathlib.Path(PLACE, "gate")
    pathlib.Path(PLACE, "pid").write_text(str(os.getpid()))
    while gate.exists():
        time.sleep(0.02)
    with zipfile.ZipFile(pathlib.Path(directory, "waiting-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("waiting.py", "")
        wheel.writestr("waiting-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: waiting\\nVersion: 1\\n")
        wheel.writestr("waiting-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("waiting-1.dist-info/RECORD", "waiting.py,,\\n")
    return "waiting-1-py3-none-any.whl"
"""


def waiting_package(place: Path) -> MemoryCode:
    """Code with a package whose build tells its process id, and lasts as long as there is a file `gate` in `place`."""
    project = b'[build-system]\nrequires = []\nbuild-backend = "waiting_backend"\nbackend-path = ["."]\n'
    backend = BACKEND.replace("PLACE", repr(str(place))).encode()
    return MemoryCode({"lib/pyproject.toml": project, "lib/waiting_backend.py": backend})


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--kill-at", type=int, default=0)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--install", action="store_true", help="a package of the code whose build waits for ROOT/../gate to go")
    options = parser.parse_args()
    model = options.root.parent / "model.bin"
    builder = LayoutBuilder(options.root / "layout", options.root / "cache", allow_file_urls=True)
    spec = spec_of(files={"models/net.bin": in_code("models/net.bin"), "big/model.bin": on_disk(model)}, shim=True)
    code = CODE
    if options.install:
        code = waiting_package(options.root.parent)
        spec = spec_of(code, requirements="./lib\n")
    if options.limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options.limit, options.limit))
    steps = Steps(options.root, options.kill_at)
    sys.addaudithook(steps.audit)
    try:
        image = builder.build(spec, code, silent)
    except PointsmanError as error:
        print(f"{error.reason}: {error}", file=sys.stderr)
        return 1
    print(image.digest, steps.count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
