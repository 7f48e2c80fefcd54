"""The WSGI server that images with a `wsgi` endpoint get, when their own requirements name none."""

from __future__ import annotations

SERVER = "gunicorn"

_PINS = (((3, 10), "27.0.1"), ((3, 7), "23.0.0"), ((3, 5), "21.2.0"))
"""The newest release whose metadata admits a Python version, and that oldest version."""


def wsgi_requirement(python: str) -> str:
    """The requirement of the server for `major.minor`, pinned. Raises ValueError for a Python older than all releases."""
    major, minor = (int(part) for part in python.split("."))
    for oldest, release in _PINS:
        if (major, minor) >= oldest:
            return f"{SERVER}=={release}"
    raise ValueError(f"no {SERVER} release for Python {python}")
