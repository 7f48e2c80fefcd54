"""The WSGI server that images with a `wsgi` endpoint get, when their own requirements name none."""

from __future__ import annotations

from collections.abc import Collection

from controller.model.errors import Stalled

SERVER = "gunicorn"

_PINS = (
    ((3, 10), ("gunicorn==27.0.1",)),
    ((3, 7), ("gunicorn==23.0.0", "packaging==24.0")),
    ((3, 5), ("gunicorn==21.2.0", "packaging==20.9")),
)
"""The newest release whose metadata admits a Python version, that oldest version, and what the release itself needs."""


def wsgi_requirements(python: str, locked: Collection[str] | None = None) -> tuple[str, ...]:
    """The server for `major.minor`, pinned. Raises Stalled for a Python older than all releases.

    Beside `locked` packages also what the server needs is pinned, as far as it is not among them.
    """
    version = tuple(int(part) for part in python.split("."))
    pins = next((pins for oldest, pins in _PINS if version >= oldest), None)
    if pins is None:
        hint = "use a base image with a newer Python, or a `server-command` in place of `wsgi`"
        raise Stalled(f"no release of {SERVER} is for the base image's Python {python}", hint=hint)
    needed = () if locked is None else (pin for pin in pins[1:] if pin.partition("==")[0] not in locked)
    return (pins[0], *needed)
