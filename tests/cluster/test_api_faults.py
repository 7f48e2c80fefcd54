"""Whatever the network and the API server do to a controller: nobody who asks notices, and it goes on without a restart.

A proxy between the controller and the real API server fails on purpose. Each test tells one more chapter of one story: a
version with new code is released, the alias moves to it, and the version before it is switched off and goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest

from controller.model import labels
from controller.model.errors import Stalled
from controller.model.objects import annotation
from tests.cluster import api
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.fault_rules import Asked, Fault, Rule
from tests.cluster.fault_story import OTHER, ROLLOUT, Story
from tests.cluster.faults import (
    answer,
    cut,
    delayed,
    expired_event,
    forbidden,
    hang,
    in_pages,
    late,
    lost_after,
    lost_before,
    page,
)
from tests.cluster.fixtures import Testbed
from tests.cluster.stage import Stage, eventually, staged
from tests.system.repository import ENDPOINT, version_file

pytestmark = pytest.mark.cluster

OBJECTS = ("deployments", "services", "httproutes")
RECORDS = ("configmaps",)


def on(*resources: str, verb: str = "") -> Callable[[Asked], bool]:
    return lambda asked: asked.resource in resources and verb in ("", asked.verb)


def any_write(asked: Asked) -> bool:
    """Of what a unit needs; losing an Event or a Lease is another story."""
    return asked.is_write and asked.resource not in ("events", "leases")


def not_a_watch(asked: Asked) -> bool:
    return asked.verb != "watch"


def anything(asked: Asked) -> bool:
    return True


def each_first(resources: tuple[str, ...], fault: Fault, *, verb: str = "patch", times: int | None = 1) -> tuple[Rule, ...]:
    """The first requests to each kind."""
    return tuple(Rule(on(resource, verb=verb), fault, times=times) for resource in resources)


CASES: Mapping[str, Callable[[], tuple[Rule, ...]]] = {
    "500 to more writes than a request has tries": lambda: (Rule(any_write, answer(500), times=9),),
    "503 to everything for a while": lambda: (Rule(anything, answer(503), times=30),),
    "429 with Retry-After to every second write": lambda: tuple(
        Rule(any_write, answer(429, "slow down", retry_after=1), skip=2 * n) for n in range(8)
    ),
    "a reset before each kind's first write arrives": lambda: each_first((*OBJECTS, *RECORDS), lost_before),
    "the answer to each kind's first write is lost": lambda: each_first(OBJECTS, lost_after),
    "the answers to records are lost": lambda: each_first(RECORDS, lost_after, times=3),
    "the answers to deletes are lost": lambda: each_first(OBJECTS, lost_after, verb="delete"),
    "500 to deletes": lambda: each_first(OBJECTS, answer(500), verb="delete", times=5),
    "answers that end in the middle": lambda: each_first((*OBJECTS, *RECORDS), cut(200), times=2),
    "409 to records": lambda: each_first(RECORDS, answer(409, "the object has been modified"), times=3),
    "409 to routes": lambda: each_first(("httproutes",), answer(409, "the object has been modified"), times=3),
    "403 to one kind": lambda: (Rule(on("services"), forbidden, times=4),),
    "401 for a while": lambda: (Rule(anything, answer(401, "Unauthorized"), times=10),),
    "404 from something that is no API server": lambda: (Rule(any_write, page(404), times=5),),
    "Events cannot be written": lambda: (Rule(on("events"), answer(500), times=None),),
    "the Lease cannot be renewed for a while": lambda: (Rule(on("leases"), answer(500), times=24),),
    "a write that is never answered": lambda: each_first(("deployments",), hang),
    "writes that arrive when nobody waits for them any more": lambda: each_first(("services", "httproutes"), late),
    "everything is slow": lambda: (Rule(not_a_watch, delayed(0.5), times=60),),
}


@pytest.fixture(scope="module")
def story(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    directory = tmp_path_factory.mktemp("faults")
    with staged(testbed, directory) as stage, FaultProxy(stage.installation.kubeconfig, directory) as proxy:
        stage.installation = replace(stage.installation, kubeconfig=proxy.kubeconfig)
        with stage.controller() as process:
            told = Story(stage, proxy, process)
            told.begin()
            yield told


@pytest.mark.parametrize("case", CASES)
def test_a_release_is_carried_out(case: str, story: Story) -> None:
    rules = CASES[case]()
    with story.under_load():
        with story.proxy.rules(*rules):
            story.go_on()
            story.until_over()
        assert all(rule.met for rule in rules), [rule.met for rule in rules]
        eventually(lambda: all(rule.finished == rule.met for rule in rules))
        story.until_over()
    story.assert_whole()


@pytest.mark.parametrize(
    "case", ["500 to more writes than a request has tries", "the answer to each kind's first write is lost"]
)
def test_a_rollback_is_carried_out(case: str, story: Story) -> None:
    with story.under_load():
        story.go_on()
        story.until_over()
        with story.proxy.rules(*CASES[case]()):
            story.go_back()
            story.until_over()
    story.assert_whole()


def test_an_update_that_arrives_when_its_object_is_gone_makes_it_not_again(story: Story) -> None:
    repository, stale = story.stage.repository, Rule(on("deployments", verb="patch"), late)
    with story.under_load():
        with story.proxy.rules(stale):
            more = repository.configure(rollout=ROLLOUT, endpoints={ENDPOINT: {"scale": {"min": 2, "max": 2}}})
            story.stage.until_applied(more)
            repository.configure(rollout=ROLLOUT)
            story.go_on()
            story.until_over()
        eventually(lambda: stale.finished)
    assert stale.met == 1
    story.assert_whole()


def test_every_connection_is_lost_in_the_middle_and_nothing_answers_for_a_while(story: Story) -> None:
    nothing = Rule(anything, lost_before, times=None)
    with story.under_load():
        story.go_on()
        eventually(lambda: story.version in story.versions(), story.stage.log)
        with story.proxy.rules(nothing):
            story.proxy.drop_all()
            eventually(lambda: nothing.met >= 30, story.stage.log)
        story.until_over()
    story.assert_whole()


def test_watches_that_are_too_old_and_lists_that_are_forgotten_half_way(story: Story) -> None:
    too_old = Rule(on_watch, expired_event, times=len(story.proxy.streams()))
    forgotten = Rule(lambda asked: asked.verb == "list" and "continue" in asked.query, answer(410, "expired"), times=2)
    paged = Rule(on_list, in_pages, times=None)
    with story.under_load(), story.proxy.rules(too_old, forgotten, paged):
        for stream in story.proxy.streams():
            stream.break_off()
        story.go_on()
        story.until_over()
    assert (too_old.met, forgotten.met) == (too_old.times, 2)
    story.assert_whole()


def test_lists_that_fail_are_no_empty_lists(story: Story) -> None:
    """Everything has to be listed anew, and for a while nothing can be: what was known stays."""
    too_old = Rule(on_watch, expired_event, times=len(story.proxy.streams()))
    unwell = Rule(on_list, answer(500), times=40)
    half = Rule(on_list, cut(300), times=10)
    with story.under_load(), story.proxy.rules(too_old, unwell, half):
        for stream in story.proxy.streams():
            stream.break_off()
        story.go_on()
        story.until_over()
    assert (unwell.met, half.met) == (40, 10)
    story.assert_whole()


def test_watches_that_fall_silent(story: Story) -> None:
    with story.under_load():
        silenced = story.proxy.streams()
        for stream in silenced:
            stream.is_silent = True
        story.go_on()
        story.until_over()
        kinds = {stream.asked.resource for stream in silenced}
        eventually(lambda: kinds <= {stream.asked.resource for stream in story.proxy.streams() if not stream.is_silent})
    story.assert_whole()


def test_an_object_that_an_admission_policy_denies_holds_up_its_unit_alone(story: Story, testbed: Testbed) -> None:
    other = story.stage.of(OTHER)
    with denied(testbed, story.stage, "base-2"):
        story.stage.repository.release("base-2", alias=None, **{version_file("base-2"): {"deployments": [OTHER]}})
        eventually(lambda: "not this one" in other.conditions(), story.stage.log)
        assert "Deployment" in other.conditions()
        story.let_grow()
        with story.under_load():
            story.go_on()
            story.until_over()
        story.assert_whole()
        assert "not this one" in other.conditions()
    eventually(lambda: other.is_applied(story.commit), other.conditions)
    assert annotation(other.workload("base-2"), labels.VERSION) == "base-2"
    story.let_grow()
    story.assert_whole()


def on_watch(asked: Asked) -> bool:
    return asked.verb == "watch"


def on_list(asked: Asked) -> bool:
    return asked.verb == "list"


@contextmanager
def denied(testbed: Testbed, stage: Stage, version: str) -> Iterator[None]:
    """The cluster's own policy: no Deployment of this version in the stage's namespace."""
    name = stage.installation.name
    here = {"kubernetes.io/metadata.name": stage.namespace}
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}]
    marked = f"object.metadata.annotations['{labels.VERSION}']"
    refused = {"expression": f"!has(object.metadata.annotations) || {marked} != '{version}'", "message": "not this one"}
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules, "namespaceSelector": {"matchLabels": here}},
        "validations": [refused],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    root = "/apis/admissionregistration.k8s.io/v1"
    with api.opened(testbed.kubeconfig) as cluster:
        try:
            cluster.apply({**group, "kind": "ValidatingAdmissionPolicy", "spec": policy})
            cluster.apply({**group, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding})
            eventually(lambda: _is_denied(stage, version), lambda: "the policy has no effect")
            yield
        finally:
            cluster.delete(f"{root}/validatingadmissionpolicybindings/{name}")
            cluster.delete(f"{root}/validatingadmissionpolicies/{name}")


def _is_denied(stage: Stage, version: str) -> bool:
    newest = stage.workload("base")
    tried = {
        "apiVersion": newest["apiVersion"],
        "kind": "Deployment",
        "metadata": {"name": "tried", "namespace": stage.namespace, "annotations": {labels.VERSION: version}},
        "spec": newest["spec"],
    }
    try:
        stage.client.apply(tried, dry_run=True)
    except Stalled:
        return True
    return False
