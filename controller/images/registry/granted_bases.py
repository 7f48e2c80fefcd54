"""Which base images a project may build on. The controller reads them with its own credentials, so they are granted.

Every name is compared whole, as Docker completes it: `python:3.11` is `docker.io/library/python:3.11`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from controller.images.registry.reference import (
    DOCKER_HUB,
    Location,
    Reference,
    default_location,
    parse_location,
    parse_reference,
    split_registry,
)
from controller.model.errors import Stalled
from controller.model.patterns import matches

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class BaseGrants:
    """What one source may build on: `patterns` of names, None for any.

    `registries` are those that hold the images of all projects, as (push URL, pull name); a base in one of them that is
    not the project's own needs a pattern that names that registry, whatever else is granted. `mirrors` are the
    controller's, by which such an image could be named otherwise.
    """

    patterns: tuple[str, ...] | None = None
    registries: tuple[tuple[str, str], ...] = ()
    mirrors: Mapping[str, str] = field(default_factory=dict)

    def complaint(self, base: str, project: str) -> str | None:
        """Why `owner/project` may not build on a base, in words that follow its name; None where it may."""
        try:
            reference = parse_reference(base)
            others = [name for name, rest in self._in_registries(reference) if not _is_below(rest, project)]
        except Stalled as error:
            return None if self.patterns is None else f"cannot be granted: {error.message}"
        if others:
            allowed = any(_allows(pattern, name, literally=True) for pattern in self.patterns or () for name in others)
            return None if allowed else "lies where the controller keeps the images of other projects"
        if self.patterns is None or any(_allows(pattern, reference) for pattern in self.patterns):
            return None
        return "is not granted to this source"

    def _in_registries(self, reference: Reference) -> Iterator[tuple[Reference, str]]:
        """The names that an image of these registries has there, each with what follows the path of the projects."""
        places = tuple(self._places(reference))
        for push, pull in self.registries:
            homes = (parse_location(push), _pulled(pull))
            for rest in {rest for home in homes for rest in _rests(home, places)}:
                for home in homes:
                    yield replace(reference, registry=home.host.lower(), repository=home.below(rest)), rest

    def _places(self, reference: Reference) -> Iterator[tuple[str, str]]:
        """Where an image may be looked for: address of the registry, and repository there."""
        elsewhere = {_pulled(pull).host: parse_location(push).url for push, pull in self.registries} | dict(self.mirrors)
        mirrors = (parse_location(url) for name, url in elsewhere.items() if name == reference.registry)
        for location in (default_location(reference.registry), Location("https", reference.registry), *mirrors):
            yield _address(location), location.below(reference.repository)


ANY_BASE = BaseGrants()
"""Nothing is refused: whoever runs this builds for themselves."""


def _pulled(pull: str) -> Location:
    return parse_location(f"https://{pull.rstrip('/')}")


def _address(location: Location) -> str:
    """Host and port, which may be written with zeros before it."""
    written = re.fullmatch(r"(.+):([0-9]+)", location.host.lower())
    host, port = (written[1], int(written[2])) if written else (location.host.lower(), _PORTS[location.scheme])
    return f"{host}:{port}"


def _rests(home: Location, places: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What follows the path of the projects, for each place that lies below it."""
    path = f"{home.path}/" if home.path else ""
    for address, repository in places:
        if address == _address(home) and repository.startswith(path):
            yield repository.removeprefix(path)


def _is_below(repository: str, project: str) -> bool:
    return repository == project or repository.startswith(f"{project}/")


def _allows(pattern: str, reference: Reference, *, literally: bool = False) -> bool:
    """Whether a pattern stands for an image; `literally` where its registry has to be written out."""
    if pattern == "*":
        return not literally
    rest, _, digest = pattern.partition("@")
    head, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    registry, repository = _completed(f"{head}{slash}{last}")
    if literally and "*" in registry:
        return False
    names = ((registry, reference.registry.lower()), (repository, reference.repository))
    wanted = ((tag or "*", reference.tag), (digest or "*", reference.digest))
    return all(matches(part, found) for part, found in (*names, *wanted))


def _completed(name: str) -> tuple[str, str]:
    """As Docker completes names; `docker.io/*` is all of it, not only what has no owner."""
    registry, repository = split_registry(name)
    if name == f"{DOCKER_HUB}/*":
        return registry, "*"
    return registry.lower(), repository
