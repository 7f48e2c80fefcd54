"""What holds for every sequence of commits, failures, deaths and passing time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.model import labels
from controller.model.declared import Deployment, EndpointSettings, Rollout, Scale, SecretRef
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, put
from controller.model.record import Fact, FactKind
from controller.model.routes import with_revision
from controller.plan import report
from controller.plan.planner import plan
from tests.plan.world import UNIT, World, alias_file, deployment, version

pytestmark = pytest.mark.pure

PATIENT = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
VERSIONS = ("20181001.0", "20181002.0", "20181003.0", "20181004.0", "20181005.0")
ALIASES = ("production", "staging")
FILES = tuple(
    [alias_file(a) for a in ALIASES]
    + [f"pointsman/versions/{v}.yaml" for v in VERSIONS]
    + ["pointsman/deployments/americas/deployment.yaml"]
)
KNOWN = {name: version(name, ("predict",) if name == VERSIONS[3] else ("predict", "greet")) for name in VERSIONS}


@dataclass(frozen=True)
class Commit:
    found: Deployment | None
    release: bool


@dataclass(frozen=True)
class Weather:
    """What the world does from now on: versions that crash, wait for capacity, fail golden requests, cannot be built yet."""

    crashing: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    misfit: frozenset[str] = frozenset()
    unbuilt: bool = False
    secret: bool = True
    rewritten: bool = False


@dataclass(frozen=True)
class Pass:
    stop_after: int | None


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Pin:
    alias: str
    version: str | None


SETTINGS = st.builds(
    EndpointSettings,
    scale=st.sampled_from([Scale(), Scale(2, 2), Scale(1, 4, 70), Scale(0, 3, 70), Scale(3, 3)]),
    resources=st.just({"cpu": {"min": 1}}),
    timeout=st.sampled_from([60.0, 5.0]),
    environment=st.sampled_from([{}, {"A": "1"}, {"A": "2"}, {"TOKEN": SecretRef("api", "token")}]),
)


@st.composite
def deployments(draw: st.DrawFn) -> Deployment:
    names = draw(st.lists(st.sampled_from(VERSIONS), min_size=1, unique=True))
    chosen = draw(st.dictionaries(st.sampled_from(ALIASES), st.sampled_from(names)))
    rollout = Rollout(
        deadline=30.0,
        strategy=draw(st.sampled_from(["surge", "surge", "recreate"])),
        keep_warm=draw(st.sampled_from([0.0, 100.0])),
    )
    made = {name: KNOWN[name] for name in names}
    return deployment(made, chosen, draw(SETTINGS), rollout=rollout, idle_replicas=draw(st.sampled_from([0, 1, 2])))


SOME = st.frozensets(st.sampled_from(VERSIONS), max_size=2)
COMMITS = st.builds(Commit, st.one_of(deployments(), deployments(), deployments(), st.none()), st.booleans())
STEPS = st.one_of(
    COMMITS,
    st.builds(Weather, SOME, SOME, SOME, st.booleans(), st.booleans(), st.booleans()),
    st.builds(Pass, st.none() | st.integers(0, 12)),
    st.builds(Wait, st.sampled_from([0.5, 6.0, 40.0, 200.0, 4000.0])),
    st.builds(Pin, st.sampled_from(ALIASES), st.none() | st.sampled_from(VERSIONS)),
)


def take(world: World, step: object) -> None:
    match step:
        case Commit(found, release):
            world.declare(found, changed=changed_by(world.declared, found), release=release)
        case Weather():
            set_weather(world, step)
        case Pass(stop_after):
            made = world.plan()
            world.carry_out(made, stop_after=stop_after)
        case Wait(seconds):
            world.now += seconds
        case Pin(alias, name):
            pins = [f for f in world.record.facts if f.kind is FactKind.PINNED]
            pin = [Fact(FactKind.PINNED, alias, name, "", world.now)] if name else []
            world.record = world.record.with_facts(pin, pins)


def set_weather(world: World, weather: Weather) -> None:
    def behaviour(workload: str) -> str:
        found = world.objects.get(ObjectKey("Deployment", UNIT.namespace, workload))
        name = annotation(found, labels.VERSION) if found else None
        return "crash" if name in weather.crashing else "pending" if name in weather.pending else "ready"

    def golden(workload: str) -> str | None:
        found = world.objects[ObjectKey("Deployment", UNIT.namespace, workload)]
        return "seven: expected 7, got 3" if annotation(found, labels.VERSION) in weather.misfit else None

    serving = set().union(*(world.backends(a) for a in ALIASES))
    world.behaviour = lambda workload: "ready" if workload in serving else behaviour(workload)
    world.golden = golden
    world.built = lambda key: not weather.unbuilt
    world.secrets = {"api": frozenset({"token"})} if weather.secret else {}
    world.rewritten = weather.rewritten


def changed_by(before: Deployment | None, after: Deployment | None) -> tuple[str, ...]:
    """The files that differ between two commits."""
    aliases = [{n: a.version for n, a in (d.aliases if d else {}).items()} for d in (before, after)]
    versions = [set(d.versions) if d else set() for d in (before, after)]
    moved = [alias_file(a) for a in ALIASES if aliases[0].get(a) != aliases[1].get(a)]
    gone = [f"pointsman/versions/{v}.yaml" for v in sorted(versions[0] ^ versions[1])]
    return (*moved, *gone, *(FILES[-1:] if before != after else ()))


def heal(world: World, final: Deployment | None) -> None:
    """Everything works again, a person allows every removal and asks for another try, and time passes."""
    set_weather(world, Weather())
    world.declare(final, changed=FILES, release=True)
    tried = (FactKind.GIVEN_UP, FactKind.GOLDEN_FAILED, FactKind.WAITING_SINCE, FactKind.PINNED)
    world.record = world.record.with_facts([], [f for f in world.record.facts if f.kind in tried])
    made = world.settle()
    assert made.is_settled, report.to_text(made)


def state(world: World) -> Mapping[ObjectKey, Object]:
    return {key: plain(obj) for key, obj in world.objects.items() if key.kind != "Namespace"}


def plain(obj: dict[str, Any]) -> Object:
    """An object without what the path may leave in it: the server's own fields and the revision."""
    meta = {k: v for k, v in obj["metadata"].items() if k not in ("uid", "resourceVersion", "generation", "creationTimestamp")}
    said = {k: v for k, v in meta["annotations"].items() if k != labels.REVISION}
    cleared = with_revision(obj, "") if obj["kind"] == "HTTPRoute" else obj
    return put({**cleared, "metadata": meta}, said, "metadata", "annotations")


@PATIENT
@given(st.lists(STEPS, max_size=14), COMMITS)
def test_the_end_does_not_depend_on_the_path(steps: list[object], final: Commit) -> None:
    world, fresh = World(), World()
    set_weather(world, Weather())
    take(world, Commit(deployment([VERSIONS[0]], {"production": VERSIONS[0]}), False))
    for step in steps:
        take(world, step)
    heal(world, final.found)
    heal(fresh, final.found)
    assert state(world) == state(fresh)


@PATIENT
@given(st.lists(STEPS, max_size=14))
def test_after_the_changes_nothing_is_left_at_the_same_moment(steps: list[object]) -> None:
    world = World()
    set_weather(world, Weather())
    take(world, Commit(deployment([VERSIONS[0]], {"production": VERSIONS[0]}), False))
    for step in steps:
        take(world, step)
        if isinstance(step, Pass) and step.stop_after is None:
            world.run(most=25)
    made = world.run(most=25)
    assert not made.changes
    assert report.fingerprint(made) == report.fingerprint(world.plan())
    world.settle()


@PATIENT
@given(st.lists(STEPS, max_size=10))
def test_a_plan_depends_on_content_alone(steps: list[object]) -> None:
    world = World()
    set_weather(world, Weather())
    take(world, Commit(deployment([VERSIONS[0]], {"production": VERSIONS[0]}), False))
    for step in steps:
        take(world, step)
    desired, observed, record = world.desired(), world.observed(), world.record
    before = copy.deepcopy((desired, observed, record))
    made = plan(desired, observed, record, world.now)
    assert (desired, observed, record) == before, "inputs are never changed"
    reordered = plan(
        replace(
            desired,
            workloads=backwards(desired.workloads),
            version_routes=backwards(desired.version_routes),
            aliases=backwards(desired.aliases),
        ),
        replace(observed, objects=backwards(observed.objects)),
        replace(record, facts=record.facts[::-1]),
        world.now,
    )
    assert report.to_text(reordered, verbose=True) == report.to_text(made, verbose=True)
    assert report.fingerprint(reordered) == report.fingerprint(made)


def backwards(found: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return dict(reversed(list(found.items())))
