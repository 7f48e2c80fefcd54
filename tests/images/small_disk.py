"""A disk that gets full: a file system in memory of a few kilobytes, which a command sees in the place of a directory."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path


def on_small_disk(directory: Path, size: int, *commands: list[str]) -> list[str]:
    """The commands one after the other, the first with `size` KiB in `directory`, each further one with 64 MiB."""
    place = shlex.quote(str(directory))
    first, *others = map(shlex.join, commands)
    steps = [f"mount -t tmpfs -o size={size}k tmpfs {place}", f"exec {first}" if not others else first]
    for other in others:
        steps += [f"mount -o remount,size=64m {place} && {other}"]
    rights = [] if os.getuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *rights, "sh", "-c", "\n".join(steps)]


def enlarge(process: subprocess.Popen[bytes], directory: Path) -> None:
    """Give the disk of a running command 64 MiB."""
    enter = ["nsenter", "--target", str(process.pid), "--mount", *([] if os.getuid() == 0 else ["--user"])]
    subprocess.run([*enter, "mount", "-o", "remount,size=64m", str(directory)], check=True)
