"""What one unit should have: rendered from the newest publication, and only again when an input of it changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from controller.engine.builds import Builds
from controller.engine.sight import Sight
from controller.engine.sources import Publication
from controller.engine.targets import Target
from controller.model.desired import DesiredState
from controller.model.identity import ObjectKey, UnitKey
from controller.model.images import ImageSpec, ImageState
from controller.model.record import UnitRecord
from controller.model.secret import Secret
from controller.model.source import commit_in
from controller.render.access import EMBEDDED_CLASS
from controller.render.images import image_spec
from controller.render.names import users_name
from controller.render.renderer import render, render_gone
from controller.source.adhoc import never_declared


@dataclass(frozen=True, slots=True)
class Move:
    """A unit left this target for another: `to` is that one's name, `is_ready` whether the unit serves there."""

    to: str
    is_ready: bool = False


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What a rendering came from; publications are replaced as wholes, so the same one says the same."""

    publication: Publication
    images: dict[str, ImageState]
    users: Secret | None
    is_rewritten: bool

    def are(self, other: _Inputs) -> bool:
        mine, theirs = (self.images, self.users, self.is_rewritten), (other.images, other.users, other.is_rewritten)
        return self.publication is other.publication and mine == theirs


class Desire:
    """Renders units; remembers each unit's last answer and the inputs that it came from."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds
        self._lock = threading.Lock()
        self._specs: dict[UnitKey, tuple[Publication, tuple[ImageSpec, ...]]] = {}
        self._last: dict[UnitKey, tuple[_Inputs, DesiredState]] = {}

    def of(
        self, unit: UnitKey, sight: Sight, publication: Publication, record: UnitRecord, move: Move | None = None
    ) -> DesiredState:
        """The unit's desired state at the publication's revision, `gone` for one that is not to be here any more."""
        target, rewritten = sight.target, is_rewritten(publication, record, unit.deployment)
        if move or unit.deployment not in publication.declared.deployments:
            self._forget(unit)
            return _gone(unit, target, publication, rewritten=rewritten, move=move)
        images = {spec.key: self._builds.state(spec, target.builder) for spec in self._image_specs(unit, target, publication)}
        users = _users(unit, sight, publication)
        inputs = _Inputs(publication, images, users, rewritten)
        with self._lock:
            last = self._last.get(unit)
        if last and last[0].are(inputs):
            return last[1]
        declared, snapshot = publication.declared, publication.snapshot
        desired = render(declared, unit.deployment, target.profile, images, users=users, snapshot=snapshot, rewritten=rewritten)
        with self._lock:
            self._last[unit] = inputs, desired
        return desired

    def _forget(self, unit: UnitKey) -> None:
        """What is remembered of a unit holds a whole publication."""
        with self._lock:
            self._last.pop(unit, None)
            self._specs.pop(unit, None)

    def _image_specs(self, unit: UnitKey, target: Target, publication: Publication) -> tuple[ImageSpec, ...]:
        with self._lock:
            known = self._specs.get(unit)
        if known and known[0] is publication:
            return known[1]
        declared = publication.declared
        specs = {}
        for served in declared.deployments[unit.deployment].versions.values():
            for endpoint in served.version.endpoints:
                spec = image_spec(declared, served.version, endpoint, target.profile)
                specs[spec.key] = spec
        with self._lock:
            self._specs[unit] = (publication, tuple(specs.values()))
        return tuple(specs.values())


def _users(unit: UnitKey, sight: Sight, publication: Publication) -> Secret | None:
    """Who may come in, for gateways that need a copy; None where nobody needs it or it is not known."""
    declared, profile = publication.declared.deployments[unit.deployment].basic_auth, sight.target.profile
    if declared is None or profile.gateway_class == EMBEDDED_CLASS:
        return None
    namespace = profile.namespace_of(unit)
    copy = ObjectKey("Secret", namespace, users_name(unit))
    return sight.secrets.users(ObjectKey("Secret", namespace, declared), copy, sight.target.probe_of(unit))


def _gone(unit: UnitKey, target: Target, publication: Publication, *, rewritten: bool, move: Move | None) -> DesiredState:
    revision, snapshot = publication.declared.revision, publication.snapshot
    undeclared = never_declared(unit, snapshot)
    return render_gone(
        unit,
        revision,
        target.profile,
        snapshot=snapshot,
        rewritten=rewritten,
        undeclared=undeclared,
        moved_to=move.to if move else None,
        moved_ready=bool(move and move.is_ready),
    )


def is_rewritten(publication: Publication, record: UnitRecord, deployment: str) -> bool:
    """Whether the applied revision is not an ancestor of the new one, and no commit since then allows removals."""
    applied, new = commit_in(record.applied), publication.snapshot.revision.commit
    source = publication.source
    if not applied or applied == new or source.is_ancestor(applied, new):
        return False
    releases = (r for r in publication.snapshot.releases if r.deployment == deployment)
    return all(source.is_ancestor(release.commit, applied) for release in releases)
