"""From the last words of an endpoint that ended to what is likely missing in its image."""

from __future__ import annotations

import re

from controller.model.images import ImageSpec

_MODULE = re.compile(r"No module named '([\w.]{1,100})'")
_COMMAND = re.compile(r"(?:^|: )(?:\d+: )?(?:line \d+: )?([\w./+-]{1,100}): (?:command )?not found\b")
_LIBRARY = re.compile(r"\b(lib[\w.+-]{1,100}\.so[\d.]*): cannot open shared object file")

_AS_ROOT = re.compile(r"runAsNonRoot and image (?:will run as root|has non-numeric user)")
_LOST_IMAGE = re.compile(r"image cannot be pulled \(\w+: not found: ")

_PACKAGES = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Modules of packages with another name, as the Python Package Index has them."""


def likely_cause(words: str, spec: ImageSpec) -> str | None:
    """What to do about an endpoint that ended with these words, or None where they say nothing of that kind."""
    if module := _MODULE.search(words):
        return _of_module(module[1], spec)
    if command := _COMMAND.search(words):
        return f"no program `{command[1]}` here: add the package that brings it to {_requirements(spec)}"
    if library := _LIBRARY.search(words):
        return f"the library {library[1]} {_missing_from(spec)}"
    if _LOST_IMAGE.search(words):
        return "the registry has lost it: `pointsman reconcile` builds it again"
    if _AS_ROOT.search(words):
        return f"the target's security profile needs a base image with a numeric USER that is not 0; {spec.base} has none"
    return None


def _of_module(module: str, spec: ImageSpec) -> str:
    name = module.partition(".")[0]
    if _is_own_code(name, spec):
        return f"`{name}` is in the code, but has no `{module}`: was everything committed?"
    return f"add `{_PACKAGES.get(name, name)}` to {_requirements(spec)}"


def _is_own_code(name: str, spec: ImageSpec) -> bool:
    return any(path in (name, f"{name}.py") for path, _, _ in spec.code.entries)


def _requirements(spec: ImageSpec) -> str:
    if spec.locked:
        return "pyproject.toml (`uv add` does that and renews uv.lock)"
    if spec.requirements is None:
        return "requirements-deployment.txt, which does not exist yet"
    return "requirements-deployment.txt, or to requirements.txt if that is the only one"


def _missing_from(spec: ImageSpec) -> str:
    if spec.base.startswith("host:"):
        return "is not on this machine: its base image would have it, but is not run here"
    return f"is not in the base image {spec.base}"
