"""A target in memory with a clock of its own: what a plan changes is there at once, what runs becomes ready when told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from controller.model import labels
from controller.model.changes import Change, Operation, Plan
from controller.model.declared import (
    Alias,
    DeclaredState,
    Deployment,
    EndpointDefinition,
    EndpointSettings,
    GoldenRequest,
    Rollout,
    Scale,
    ServedVersion,
    Version,
    VersionEndpoint,
)
from controller.model.desired import DesiredState, TargetProfile
from controller.model.diagnostics import Location
from controller.model.identity import ObjectKey, UnitKey
from controller.model.images import BuildFailure, Image, ImageState
from controller.model.objects import Object, annotation, at, key_of, put
from controller.model.observed import NodeRoom, ObservedState
from controller.model.record import FactKind, UnitRecord
from controller.model.routes import backend_of
from controller.model.secret import Secret
from controller.model.source import CodeTree, Release, Revision, Snapshot
from controller.plan.memory import confirmed_facts, passed_facts
from controller.plan.planner import plan
from controller.render.images import image_spec
from controller.render.renderer import render, render_gone

UNIT = UnitKey("ruksi", "mnist", "americas")
PROFILE = TargetProfile(
    name="embedded",
    kind="embedded",
    url="http://127.0.0.1:8080",
    gateway="pointsman",
    gateway_namespace="pointsman",
    gateway_class="pointsman.dev/embedded",
    platform="linux/amd64",
    min_ready_seconds=1,
    base_platform="host:cpython-3.11-linux-x86_64",
    drain_seconds=5.0,
)
GOLDEN = GoldenRequest("seven")


def version(name: str, endpoints: tuple[str, ...] = ("predict", "greet"), *, golden: bool = True) -> Version:
    """A version whose code is its name."""
    code = CodeTree("", "", (("code.py", "100644", name.replace(".", "").ljust(40, "0")),))
    made = {
        e: VersionEndpoint(EndpointDefinition(e, "python:3.11", command=f"serve {e}"), "python:3.11", golden=(GOLDEN,) * golden)
        for e in endpoints
    }
    return Version(name, "c" * 40, code, made)


def alias_file(alias: str) -> str:
    """The path of an alias's file."""
    return f"pointsman/deployments/americas/aliases/{alias}.yaml"


def deployment(
    versions: dict[str, Version] | list[str],
    aliases: dict[str, str],
    settings: EndpointSettings | None = None,
    **more: Any,
) -> Deployment:
    """A deployment of versions (names, or names with versions) with the same settings for every endpoint."""
    known = versions if isinstance(versions, dict) else {name: version(name) for name in versions}
    served = {name: ServedVersion(v, dict.fromkeys(v.endpoints, settings or EndpointSettings())) for name, v in known.items()}
    made = {
        name: Alias(name, v, Location(f"pointsman/deployments/americas/aliases/{name}.yaml", 1)) for name, v in aliases.items()
    }
    return Deployment("americas", served, made, rollout=more.pop("rollout", Rollout()), **more)


class World:
    """Objects, record and clock; `behaviour(workload)` says what becomes of one: ready, crash, pending, forbidden and so on."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.objects: dict[ObjectKey, dict[str, Any]] = {}
        self.record = UnitRecord(UNIT)
        self.behaviour: Callable[[str], str] = lambda workload: "ready"
        self.golden: Callable[[str], str | None] = lambda workload: None
        self.secrets: dict[str, frozenset[str]] = {}
        self.writes: list[Change] = []
        self.plans: list[Plan] = []
        self.revision = 0
        self._count = 0
        self.drained: dict[str, float] = {}
        self.declared: Deployment | None = None
        self.releases: tuple[Release, ...] = ()
        self.changed: dict[str, int] = {}
        self.rewritten = False
        self.built: Callable[[str], bool] = lambda key: True
        self.unbuildable: dict[str, str] = {}
        self.profile = PROFILE
        self.users: Secret | None = None
        self.moved_to: str | None = None
        self.moved_ready = False
        self.gateway: Object | None = None
        self.nodes: tuple[NodeRoom, ...] | None = None
        self.refused: Callable[[Object], str | None] = lambda route: None
        self.silent = False
        self.warnings: tuple[str, ...] = ()
        self.confirming = True

    # declared side

    def declare(self, found: Deployment | None, *, changed: tuple[str, ...] = (), release: bool = False) -> None:
        """A new commit; `changed` are the paths that it changes, `release` whether it allows removals."""
        self.declared = found
        self.revision += 1
        self.changed = {path: position + 1 for path, position in self.changed.items()} | dict.fromkeys(changed, 0)
        self.releases = tuple(replace(r, position=r.position + 1) for r in self.releases)
        if release:
            self.releases += (Release("americas", "d" * 40, 0),)

    def desired(self) -> DesiredState:
        revision = Revision("main", f"{self.revision:040d}")
        snapshot = Snapshot("src", revision, "pointsman", {}, {}, self.changed, self.releases)
        if self.declared is None:
            return render_gone(
                UNIT,
                revision,
                self.profile,
                snapshot=snapshot,
                rewritten=self.rewritten,
                moved_to=self.moved_to,
                moved_ready=self.moved_ready,
            )
        versions = {name: served.version for name, served in self.declared.versions.items()}
        state = DeclaredState(revision, "ruksi", "mnist", versions, {"americas": self.declared})
        specs = [image_spec(state, v, e, self.profile) for v in versions.values() for e in v.endpoints]
        images: dict[str, ImageState] = {key: BuildFailure(key, words) for key, words in self.unbuildable.items()}
        built = (s.key for s in specs if self.built(s.key) and s.key not in images)
        images |= {key: Image(key, f"pointsman.local/x@sha256:{key}", key, warnings=self.warnings) for key in built}
        return render(state, "americas", self.profile, images, users=self.users, snapshot=snapshot, rewritten=self.rewritten)

    # target side

    def observed(self) -> ObservedState:
        pods: dict[str, tuple[Object, ...]] = {}
        slices: dict[str, tuple[Object, ...]] = {}
        for key, obj in self.objects.items():
            if key.kind == "Deployment" and obj["metadata"]["namespace"] == UNIT.namespace:
                count = self.replicas(key.name) if self.behaviour(key.name) != "forbidden" else 0
                pods[key.name] = tuple(_pod(self.behaviour(key.name)) for _ in range(count))
                ready = self.ready(key.name)
                slices[key.name] = tuple(_slice(f"10.0.0.{n}") for n in range(ready))
        objects = {k: self._with_status(o) for k, o in self.objects.items()}
        return ObservedState(objects, pods, slices, self.secrets, self.gateway, self.nodes)

    def replicas(self, workload: str) -> int:
        found = self.objects.get(ObjectKey("Deployment", UNIT.namespace, workload))
        if found is None:
            return 0
        scaler = self.objects.get(ObjectKey("HorizontalPodAutoscaler", UNIT.namespace, workload))
        return int(at(found, "spec", "replicas", default=at(scaler or {}, "spec", "minReplicas", default=1)))

    def ready(self, workload: str) -> int:
        return self.replicas(workload) if self.behaviour(workload) == "ready" else 0

    def _with_status(self, obj: dict[str, Any]) -> dict[str, Any]:
        if obj["kind"] == "Deployment":
            name = obj["metadata"]["name"]
            ready = self.ready(name)
            counts = {"readyReplicas": ready, "availableReplicas": ready, "replicas": self.replicas(name)}
            words = {"reason": "FailedCreate", "message": "pods is forbidden: exceeded quota: small"}
            failed = {"conditions": [{"type": "ReplicaFailure", "status": "True", **words}]}
            said = failed if self.behaviour(name) == "forbidden" else {}
            status = {"observedGeneration": obj["metadata"]["generation"], "updatedReplicas": ready, **counts, **said}
            return {**obj, "status": status}
        if obj["kind"] == "HTTPRoute":
            generation = obj["metadata"]["generation"]
            if self.silent:
                return obj
            reason = self.refused(obj)
            said = {"status": "False" if reason else "True", "observedGeneration": generation, "reason": reason or "Fine"}
            conditions = [{"type": kind, **said} for kind in ("Accepted", "ResolvedRefs")]
            return {**obj, "status": {"parents": [{"conditions": conditions, "controllerName": self.profile.gateway_class}]}}
        return obj

    # carrying out

    def plan(self) -> Plan:
        return plan(self.desired(), self.observed(), self.record, self.now)

    def carry_out(self, made: Plan, *, stop_after: int | None = None) -> bool:
        """Record, changes, checks; `stop_after` dies after that many effects. Whether it came to the end."""
        budget = [stop_after if stop_after is not None else 1_000_000]
        if not self._spend(budget):
            return False
        self.record = replace(
            self.record.with_facts(made.facts, made.dropped),
            inventory=made.inventory,
            resource_version="1",
            applied=made.revision if made.is_settled else self.record.applied,
        )
        for change in made.changes:
            if not self._spend(budget):
                return False
            self._write(change)
        for check in made.golden:
            if not self._spend(budget):
                return False
            fact = passed_facts(check, made.revision, self.now, self.golden(check.workload))
            self.record = self.record.with_facts([fact])
        for confirm in made.confirms if self.confirming else ():
            if not self._spend(budget):
                return False
            self.record = self.record.with_facts(confirmed_facts(confirm, made.revision, self.now))
        gone = {c.key for c in made.changes if c.operation is Operation.DELETE}
        self.record = replace(self.record, inventory=self.record.inventory - gone)
        return True

    @staticmethod
    def _spend(budget: list[int]) -> bool:
        budget[0] -= 1
        return budget[0] >= 0

    def _write(self, change: Change) -> None:
        self.writes.append(change)
        self._count += 1
        live = self.objects.get(change.key)
        self._check_safe(change, live)
        if change.operation is Operation.DELETE:
            self.objects.pop(change.key, None)
            return
        assert change.desired is not None
        expected = change.resource_version
        if expected is not None:
            assert expected == (live["metadata"]["resourceVersion"] if live else "")
        created = live["metadata"]["creationTimestamp"] if live else datetime.fromtimestamp(self.now, UTC).isoformat()
        server = {"uid": str(change.key), "resourceVersion": str(self._count), "creationTimestamp": created}
        meta = {**change.desired["metadata"], **server}
        same = live is not None and live.get("spec") == change.desired.get("spec")
        meta["generation"] = live["metadata"]["generation"] + (not same) if live else 1
        self.objects[change.key] = put(dict(change.desired), meta, "metadata")

    # what must hold at every single write

    def _check_safe(self, change: Change, live: Object | None) -> None:
        if live is not None:
            assert annotation(live, labels.UNIT_NAME) == str(UNIT) or change.key.kind == "Namespace", "a foreign object"
        if change.operation is Operation.DELETE:
            assert live is not None
            assert change.key in self.record.inventory, f"{change.key} is not in the inventory"
            assert change.uid == live["metadata"]["uid"]
            assert change.resource_version == live["metadata"]["resourceVersion"]
        self._check_guard(change)
        if change.key.kind in ("Deployment", "Service"):
            self._check_service(change)
        elif change.key.kind == "HTTPRoute" and annotation(change.desired or live or {}, labels.ALIAS):
            self._check_move(change, live)

    def _check_guard(self, change: Change) -> None:
        """No route is without what it names to ask for passwords, and that does not go before the route."""
        names = {o["metadata"]["name"] for k, o in self.objects.items() if k.kind == "Middleware"}
        if change.key.kind == "HTTPRoute" and change.desired:
            assert _middlewares(change.desired) <= names, f"{change.key} names what is not there"
        if change.key.kind == "Middleware" and change.operation is Operation.DELETE:
            used = [k for k, o in self.objects.items() if k.kind == "HTTPRoute" and change.key.name in _middlewares(o)]
            assert not used, f"{change.key} still guards {used}"

    def _check_service(self, change: Change) -> None:
        """Nothing that serves, or whose requests still run, goes or shrinks, except under `recreate`."""
        name, before = change.key.name, self.replicas(change.key.name)
        serving = {backend_of(o) for k, o in self.objects.items() if k.kind == "HTTPRoute" and annotation(o, labels.ALIAS)}
        if change.operation is Operation.DELETE:
            assert name not in serving, f"{change.key} still serves"
            assert self.now >= self.drained.get(name, 0.0), f"{change.key} still drains"
        elif change.key.kind == "Deployment" and not self._recreates():
            after = at(change.desired or {}, "spec", "replicas")
            assert after is None or after > 0 or name not in serving, f"{name} serves and would stop"
            draining = self.now < self.drained.get(name, 0.0) and name not in serving
            assert after is None or after >= before or not draining, f"{name} drains and would shrink from {before} to {after}"

    def _recreates(self) -> bool:
        """Whether requests may fail during a switch: asked for, or because two servers cannot listen side by side."""
        blocked = any(self.behaviour(k.name) == "port-in-use" for k in self.objects if k.kind == "Deployment")
        return blocked or (self.declared is not None and self.declared.rollout.strategy == "recreate")

    def _check_move(self, change: Change, live: Object | None) -> None:
        """An alias moves only to what is ready and passed its golden requests; what it left drains."""
        old, new = backend_of(live), backend_of(change.desired)
        if old and old != new:
            self.drained[old] = self.now + self.profile.drain_seconds
        if new is None or old == new:
            return
        alias = annotation(change.desired or {}, labels.ALIAS) or ""
        assert self.ready(new) >= 1, f"{alias} would lead to {new}, which is not ready"
        known = self.record.fact(FactKind.CONFIRMED, alias, new)
        passed = self.record.fact(FactKind.GOLDEN_PASSED, self._golden_subject(new), new)
        assert known or passed, f"{alias} would lead to {new}, which no golden request has passed"

    def _golden_subject(self, workload: str) -> str:
        found = self.objects[ObjectKey("Deployment", UNIT.namespace, workload)]
        return f"{annotation(found, labels.VERSION)}/{annotation(found, labels.ENDPOINT)}"

    def step(self) -> Plan:
        made = self.plan()
        self.plans.append(made)
        self.carry_out(made)
        return made

    def run(self, *, most: int = 60) -> Plan:
        """Passes at the same moment until one has nothing to carry out."""
        for _ in range(most):
            made = self.step()
            if replace(made, builds=()).is_empty:
                return made
        raise AssertionError(f"no end in sight: {made}")

    def settle(self, *, most: int = 30) -> Plan:
        """Run, and let time pass to each wake-up, until only holds, failures or nothing are left."""
        for _ in range(most):
            made = self.run()
            if made.wake is None:
                return made
            self.now = max(made.wake, self.now) + 0.001
        raise AssertionError(f"still waking: {made.gates}")

    # questions

    def alias(self, name: str) -> dict[str, str]:
        """Where each endpoint of an alias leads: the version."""
        return {
            annotation(o, labels.ENDPOINT) or "": annotation(o, labels.VERSION) or ""
            for k, o in self.objects.items()
            if k.kind == "HTTPRoute" and annotation(o, labels.ALIAS) == name
        }

    def running(self) -> set[str]:
        """The versions whose workloads exist."""
        return {annotation(o, labels.VERSION) or "" for k, o in self.objects.items() if k.kind == "Deployment"}

    def objects_of(self, version: str, endpoint: str) -> list[str]:
        """The workloads of one endpoint of a version, whatever their settings."""
        said = (version, endpoint)
        found = [(k.name, o) for k, o in self.objects.items() if k.kind == "Deployment"]
        return [name for name, o in found if (annotation(o, labels.VERSION), annotation(o, labels.ENDPOINT)) == said]

    def size(self, version: str) -> int:
        """How many replicas run of a version's first endpoint."""
        return sum(self.replicas(name) for name in self.objects_of(version, "predict"))

    def version_backends(self, version: str) -> set[str]:
        """Where a version's own URLs lead."""
        routes = [o for k, o in self.objects.items() if k.kind == "HTTPRoute" and not annotation(o, labels.ALIAS)]
        return {backend_of(o) or "" for o in routes if annotation(o, labels.VERSION) == version}

    def backends(self, name: str) -> set[str]:
        return {
            backend_of(o) or ""
            for k, o in self.objects.items()
            if k.kind == "HTTPRoute" and annotation(o, labels.ALIAS) == name
        }


def _middlewares(route: Object) -> set[str]:
    filters = at(route, "spec", "rules", 0, "filters", default=())
    references = (f["extensionRef"] for f in filters if f["type"] == "ExtensionRef")
    return {r["name"] for r in references if r["kind"] == "Middleware"}


def _pod(behaviour: str) -> Object:
    if behaviour == "pending":
        words = "0/1 nodes are available: 1 Insufficient memory."
        unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        return {"metadata": {"name": "p"}, "status": {"phase": "Pending", "conditions": [unscheduled]}}
    if behaviour == "crash":
        last = {"terminated": {"exitCode": 1, "reason": "Error", "message": "ModuleNotFoundError: No module named 'flask'"}}
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
        status = {"name": "endpoint", "ready": False, "restartCount": 3, "state": state, "lastState": last}
        return {"metadata": {"name": "p"}, "status": {"phase": "Running", "containerStatuses": [status]}}
    if behaviour == "port-in-use":
        status = {"name": "endpoint", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "PortInUse"}}}
        return {"metadata": {"name": "p"}, "status": {"phase": "Pending", "containerStatuses": [status]}}
    status = {"name": "endpoint", "ready": True, "restartCount": 0, "state": {"running": {}}}
    return {"metadata": {"name": "p"}, "status": {"phase": "Running", "containerStatuses": [status]}}


def _slice(address: str) -> Object:
    return {"metadata": {"name": "s"}, "endpoints": [{"addresses": [address], "conditions": {"ready": True}}]}


__all__ = ["GOLDEN", "UNIT", "Scale", "World", "deployment", "key_of", "version"]
