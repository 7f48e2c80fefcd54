"""Which images are needed: by what git declares or declared lately, and by what records and workloads name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from controller.engine.cache import TargetCache
from controller.engine.sources import Publication
from controller.loading.versions import read_version
from controller.model import labels
from controller.model.clean_up import Needed
from controller.model.declared import DeclaredState, Version
from controller.model.desired import TargetProfile
from controller.model.diagnostics import PROJECT
from controller.model.errors import Stalled
from controller.model.objects import label
from controller.model.source import Snapshot
from controller.plan.clean_up import digests_in, tags_in
from controller.render.images import image_spec
from controller.state.record_format import from_config_map


@dataclass(frozen=True, slots=True)
class _Images:
    """The images of some versions, with their names, and what their bases name."""

    tags: dict[str, str] = field(default_factory=dict)
    bases: set[str] = field(default_factory=set)


class DeclaredImages:
    """What publications need for the targets of one registry; each is looked through once."""

    def __init__(self, profiles: Collection[TargetProfile]) -> None:
        self._profiles = profiles
        self._known: dict[str, tuple[Publication, _Images]] = {}

    def needed(self, publication: Publication, digests: frozenset[str], since: float) -> Needed:
        """What must stay in the repository of a publication's project, whose commits count from `since` on.

        Raises Stalled where a mistake keeps somebody from telling which images the project has.
        """
        now = self._now(publication)
        declared = publication.declared
        past = _images(declared, _former(publication.source.removed(publication.snapshot, since)), self._profiles)
        bases = now.bases | past.bases
        tags = now.tags | dict.fromkeys((tag for base in bases for tag in tags_in(base)), "the base of another image")
        return Needed(tags, past.tags, digests | {digest for base in bases for digest in digests_in(base)})

    def _now(self, publication: Publication) -> _Images:
        known = self._known.get(publication.origin)
        if known and known[0] is publication:
            return known[1]
        _require_whole(publication)
        found = _images(publication.declared, publication.declared.versions.values(), self._profiles)
        self._known[publication.origin] = publication, found
        return found


NAMING = ("Deployment", "Pod", "ConfigMap")
"""Kinds of objects that name images."""


def digests_on(cache: TargetCache) -> frozenset[str]:
    """Every digest that records and workloads on a target name. Raises Stalled for a record that cannot be read."""
    found: set[str] = set()
    for obj in cache.of_kinds("Deployment", "Pod"):
        found.update(digests_in(json.dumps(obj)))
    for obj in cache.of_kinds("ConfigMap"):
        if label(obj, labels.RECORD):
            record = from_config_map(obj)
            for text in (*record.bases.values(), *(f"{fact.input} {fact.detail}" for fact in record.facts)):
                found.update(digests_in(text))
    return frozenset(found)


def _require_whole(publication: Publication) -> None:
    declared = publication.declared
    if mistakes := declared.held.get(PROJECT):
        raise Stalled(f"a mistake holds the project: {mistakes[0].message}", hint="pointsman validate")
    for name in sorted(publication.snapshot.versions.keys() - declared.versions.keys()):
        raise Stalled(f"version `{name}` has a mistake, so nobody can tell which images it has", hint="pointsman validate")


def _former(removed: Snapshot) -> Iterator[Version]:
    """Versions that left git. One with a mistake was never served since it is one, and is left out."""
    blamed = {d.subject.name for d in removed.diagnostics if d.is_error}
    for name in removed.versions.keys() - blamed:
        file = f"{removed.path}/versions/{name}.yaml"
        version = read_version(name, file, removed, uncommitted=False)[0].version
        if version is not None:
            yield version


def _images(declared: DeclaredState, versions: Iterable[Version], profiles: Collection[TargetProfile]) -> _Images:
    found = _Images()
    for version in versions:
        for name, endpoint in version.endpoints.items():
            found.bases.add(endpoint.base)
            for profile in profiles:
                found.tags.setdefault(image_spec(declared, version, name, profile).tag, f"{version.name}/{name}")
    return found
