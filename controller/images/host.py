"""The process runtime's base: the interpreter that runs this program, without its virtual environment."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

HOST = "host:"
"""Bases that begin so are no images: their layers run on this machine's Python, and are never pushed."""


def host_base() -> str:
    """The base of images for this machine: `host:<implementation>-<major.minor>-<platform>`."""
    return f"{HOST}{sys.implementation.name}-{python_version()}-{sysconfig.get_platform()}"


def python_version() -> str:
    """`major.minor` of the running interpreter."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def base_interpreter() -> Path:
    """The interpreter below any virtual environment, so that the folder of one never enters an image."""
    named = Path(sys.base_prefix, "bin", f"python{python_version()}")
    return named if named.exists() else Path(sys.executable).resolve()
