"""`render`: what one deployment should have on its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controller.model.declared import DeclaredState, Deployment, Rollout
from controller.model.desired import DesiredState, TargetProfile, Workload
from controller.model.diagnostics import Diagnostic, Subject
from controller.model.identity import UnitKey
from controller.model.images import ImageState
from controller.model.secret import Secret
from controller.model.source import Revision, Snapshot
from controller.render.access import guard
from controller.render.bases import base_notices
from controller.render.routing import alias_routes, timeout_notices, version_route
from controller.render.scaling import scale_notices
from controller.render.scope import Scope
from controller.render.unit import namespace, service_account
from controller.render.workload import workload


def render(
    declared: DeclaredState,
    deployment: str,
    target: TargetProfile,
    images: Mapping[str, ImageState],
    *,
    users: Secret | None = None,
    snapshot: Snapshot | None = None,
    rewritten: bool = False,
) -> DesiredState:
    """Render a declared deployment; `images` maps image keys to what is known of them.

    `users` is the `.htpasswd` of a guarded deployment with the probe user's line; None where it is not known: what there
    is of it on the target then stays, and no route is written without it.
    Raises KeyError for one that is not declared (use `render_gone`), Stalled for an access rule that the target or its
    gateway cannot keep.
    """
    found = declared.deployments[deployment]
    scope = Scope(UnitKey(declared.owner, declared.project, deployment), target, snapshot.source if snapshot else "")
    guarded = guard(scope, found, users)
    pairs = [(version, endpoint) for version, served in found.versions.items() for endpoint in served.version.endpoints]
    workloads = _workloads(scope, declared, found, images)
    desired = DesiredState(
        unit=scope.unit,
        revision=declared.revision,
        namespace=scope.namespace,
        shared=(namespace(scope), service_account(scope), *guarded.objects),
        workloads=workloads,
        version_routes={(v, e): version_route(scope, guarded, found.versions[v], e) for v, e in pairs},
        aliases={name: alias_routes(scope, guarded, found, alias) for name, alias in found.aliases.items()},
        held=_held(declared, deployment),
        idle_replicas=found.idle_replicas,
        rollout=found.rollout,
        drain_seconds=target.drain_seconds,
        rewritten=rewritten,
        notices=(*base_notices(found, target), *timeout_notices(target, found), *scale_notices(workloads.values())),
        target=target,
        guards=guarded.keys,
        route_guard=guarded.of_any_route(),
    )
    return _with_history(desired, snapshot) if snapshot else desired


def render_gone(
    unit: UnitKey,
    revision: Revision,
    target: TargetProfile,
    *,
    snapshot: Snapshot,
    rewritten: bool = False,
    undeclared: bool = False,
    moved_to: str | None = None,
    moved_ready: bool = False,
) -> DesiredState:
    """What a deployment that left git should have: nothing, once its removal is released.

    One that git never had (`undeclared`) goes without that, and keeps nothing warm. One that git now wants on another
    target (`moved_to`) goes without that too, once it is Ready there (`moved_ready`), and not before.
    """
    nothing = DesiredState(
        unit,
        revision,
        target.namespace_of(unit),
        rollout=Rollout(keep_warm=0.0) if undeclared else Rollout(),
        drain_seconds=target.drain_seconds,
        rewritten=rewritten and not undeclared,
        gone=True,
        undeclared=undeclared,
        target=target,
        moved=moved_to,
        moved_ready=moved_ready,
    )
    return _with_history(nothing, snapshot)


def _with_history(desired: DesiredState, snapshot: Snapshot) -> DesiredState:
    """What git knows about removals: which files changed when, and which commits allow what they take away."""
    return replace(desired, directory=snapshot.path, changed=snapshot.changed, releases=snapshot.releases)


def _workloads(
    scope: Scope, declared: DeclaredState, deployment: Deployment, images: Mapping[str, ImageState]
) -> dict[tuple[str, str], Workload]:
    return {
        (name, endpoint): workload(scope, declared, deployment, served, endpoint, images=images)
        for name, served in deployment.versions.items()
        for endpoint in served.version.endpoints
    }


def _held(declared: DeclaredState, deployment: str) -> dict[Subject, tuple[Diagnostic, ...]]:
    return {subject: found for subject, found in declared.held.items() if _concerns(subject, deployment)}


def _concerns(subject: Subject, deployment: str) -> bool:
    """The project and its versions concern every deployment, everything else the one that its name begins with."""
    return subject.kind in ("project", "version") or subject.name.split("/")[0] == deployment
