"""How often the API server is asked, by its own count: never when nothing changed, and for nobody but whom a commit concerns.

The controller's account has a FlowSchema of its own, so that `apiserver_flowcontrol_dispatched_requests_total` counts its
requests and no others. A proxy on the way writes down what they were; both must agree. The controller runs without a Lease:
that would be renewed whether there are units or not.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median

import pytest

from controller.cli.running.service import Service, running
from controller.loading.configuration import load_configuration
from controller.model import labels
from controller.model.configuration import LeaderElection
from controller.model.identity import UnitKey
from controller.state.record_format import from_config_map
from tests.cluster import api
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.fault_rules import Asked
from tests.cluster.fixtures import Testbed
from tests.cluster.installation import Installation
from tests.cluster.stage import Stage, eventually, staged
from tests.system.repository import Repository, alias_file, deployment_file, version_file

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

UNITS = 1000
SERVED = 100
"""Units with a version, of four objects each; the others have what every unit has: a ServiceAccount and the record."""
LONGEST = 1200.0
FIRST, VERSION = "1.0", "2.0"
"""One and the same image: the first one has it built before anything is counted."""
QUIET = 3.0
"""Seconds without a request after which the controller has done what there was to do."""
_COUNTER = "apiserver_flowcontrol_dispatched_requests_total"
_FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"


@dataclass
class Observed:
    """A controller in this process with many settled units, and every request that it sends."""

    stage: Stage
    service: Service
    proxy: FaultProxy
    counter: Callable[[], int]
    creation: list[Asked]

    @property
    def units(self) -> tuple[UnitKey, ...]:
        return self.service.controller.units()

    def commit_is_passed(self, commit: str) -> bool:
        """Whether every unit has been looked at since."""
        results = [self.service.controller.result(unit) for unit in self.units]
        return all(result is not None and result.publication.snapshot.revision.commit == commit for result in results)

    def is_settled(self, units: int) -> bool:
        """Whether so many are known and nothing is left to do for any of them."""
        results = [self.service.controller.result(unit) for unit in self.units]
        return len(results) == units and all(result is not None and result.plan.is_settled for result in results)

    def until_quiet(self) -> None:
        """Until nothing has been asked for a while."""
        seen, since = -1, time.monotonic()

        def look() -> bool:
            nonlocal seen, since
            now = len(self.proxy.requests())
            if now != seen:
                seen, since = now, time.monotonic()
            return time.monotonic() - since > QUIET

        eventually(look)

    @contextmanager
    def requests(self) -> Iterator[list[Asked]]:
        """Afterwards the list holds what was asked meanwhile, and the API server has counted as many."""
        self.until_quiet()
        found: list[Asked] = []
        place, before = len(self.proxy.requests()), self.counter()
        yield found
        self.until_quiet()
        found += self.proxy.requests(place)
        assert self.counter() - before == len(found)


@pytest.fixture(scope="module")
def observed(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    directory = tmp_path_factory.mktemp("requests")
    with ExitStack() as opened:
        stage = opened.enter_context(staged(testbed, directory, make=Repository.create))
        counter = opened.enter_context(counted(testbed, stage.installation))
        proxy = opened.enter_context(FaultProxy(stage.installation.kubeconfig, directory))
        stage.installation = replace(stage.installation, kubeconfig=proxy.kubeconfig)
        declare(stage, 1)
        stage.repository.release(FIRST, alias=None, **{version_file(FIRST): {"deployments": [name_of(0)]}})
        stage.settings["rate"] = {"qps": 1000, "burst": 1000}
        service = opened.enter_context(in_process(stage))
        made = Observed(stage, service, proxy, counter, [])
        eventually(lambda: made.is_settled(1), service.troubles)  # the image and the namespace are there
        with made.requests() as creation:
            declare(stage, UNITS)
            names = [name_of(number) for number in range(1, 1 + SERVED)]
            stage.repository.commit({version_file(VERSION): {"deployments": names}}, "serve many")
            eventually(lambda: made.is_settled(UNITS), lambda: f"{len(made.units)} units; {service.troubles()}", LONGEST)
        made.creation = creation
        yield made


def test_a_unit_of_four_objects_is_created_with_six_requests(observed: Observed) -> None:
    """Four applies, the record before and after. A gateway that takes its time adds what the unit waits for, to some."""
    served, bare = hashes(observed.units[1 : 1 + SERVED]), hashes(observed.units[1 + SERVED :])
    asked = [asked for asked in observed.creation if asked.verb != "watch" and asked.resource not in ("events", "gateways")]
    in_all = Counter(map(unit_of, asked))
    assert in_all.keys() == served | bare, "nothing is asked but what a unit needs"
    assert median(in_all[unit] for unit in served) == 6
    needed = [asked for asked in asked if not tells_that_a_unit_waits(asked)]
    assert Counter(map(unit_of, needed)) == {**dict.fromkeys(served, 6), **dict.fromkeys(bare, 3)}
    objects = dict.fromkeys(("deployments", "services", "httproutes"), SERVED)
    of_all = {"serviceaccounts": UNITS - 1, "configmaps": 2 * (UNITS - 1)}
    assert Counter(asked.resource for asked in needed) == {**objects, **of_all}


def test_a_commit_that_changes_nothing_for_them_asks_nothing(observed: Observed) -> None:
    with observed.requests() as found:
        commit = observed.stage.repository.commit({"README.md": f"told at {datetime.now(UTC)}"})
        eventually(lambda: observed.commit_is_passed(commit), observed.service.troubles)
    assert [str(asked) for asked in found if asked.verb != "watch"] == []


def test_a_pass_that_something_else_has_caused_asks_nothing(observed: Observed) -> None:
    """The source is looked at anew, and a person has asked for another look at some units."""
    passed = {unit: observed.service.controller.result(unit) for unit in observed.units[:5]}
    with observed.requests() as found:
        observed.service.controller.wake()
        for unit in passed:
            ask_for_another_look(observed.stage, unit)
        eventually(lambda: all(observed.service.controller.result(unit) is not before for unit, before in passed.items()))
    assert [str(asked) for asked in found if asked.verb != "watch"] == []


def test_a_commit_to_one_alias_asks_for_that_unit_alone(observed: Observed) -> None:
    unit = observed.units[7]
    here = observed.stage.of(unit.deployment)
    with observed.requests() as found:
        file = alias_file(deployment=unit.deployment)
        commit = observed.stage.repository.commit({file: {"version": VERSION}}, "serve one of them")
        here.until("production", version=VERSION)
        eventually(lambda: here.is_applied(commit) and observed.is_settled(UNITS), here.conditions)
    writes = [asked for asked in found if asked.is_write]
    assert {unit_of(asked) for asked in writes if asked.resource != "events"} == {unit.hash}
    told = {asked.json["regarding"]["name"] for asked in writes if asked.resource == "events"}
    assert told <= {key.name for key in here.record().inventory} | {unit.record_name}
    # whether a pod more fits is asked of the nodes, and why a route is not served yet of its Gateway
    reads = {asked.resource for asked in found if not asked.is_write and asked.verb != "watch"}
    assert reads <= {"nodes", "pods", "gateways"}


def declare(stage: Stage, units: int) -> None:
    """Write deployments that run nothing."""
    for number in range(units):
        stage.repository.write(deployment_file(name_of(number)), {"idle": {"replicas": 0}})


def name_of(number: int) -> str:
    return f"d{number:04d}"


def hashes(units: Iterable[UnitKey]) -> set[str]:
    return {unit.hash for unit in units}


@contextmanager
def in_process(stage: Stage) -> Iterator[Service]:
    """What `pointsman run` does, where a test can look at its results."""
    file = stage.configure()
    loaded = load_configuration(file.read_bytes(), file, state_home=stage.directory)
    assert loaded.configuration is not None, loaded.diagnostics
    with running(replace(loaded.configuration, leader_election=LeaderElection(enabled=False))) as service:
        yield service


@contextmanager
def counted(testbed: Testbed, installation: Installation) -> Iterator[Callable[[], int]]:
    """Have the API server count the requests of an account, and read its count."""
    name = installation.name
    account = {"kind": "ServiceAccount", "serviceAccount": {"name": "pointsman", "namespace": installation.namespace}}
    all_of_them = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    spec = {
        "matchingPrecedence": 500,
        "priorityLevelConfiguration": {"name": "workload-low"},
        "rules": [{"subjects": [account], "resourceRules": [all_of_them]}],
    }
    flow = {"apiVersion": "flowcontrol.apiserver.k8s.io/v1", "kind": "FlowSchema", "metadata": {"name": name}, "spec": spec}
    with api.opened(testbed.kubeconfig) as admin, api.opened(installation.kubeconfig) as own:

        def count() -> int:
            lines = re.findall(rf'^{_COUNTER}{{flow_schema="{name}",.*}} (\S+)$', admin.get("/metrics"), re.MULTILINE)
            return sum(int(float(line)) for line in lines)

        def is_in_effect() -> bool:
            own.get("/api/v1/namespaces")
            return count() > 0

        try:
            admin.apply(flow)
            eventually(is_in_effect, lambda: "the FlowSchema has no effect")
            yield count
        finally:
            admin.delete(f"{_FLOWS}/{name}")


def ask_for_another_look(stage: Stage, unit: UnitKey) -> None:
    """As `pointsman reconcile` does."""
    record = {"name": unit.record_name, "namespace": stage.namespace}
    asked = {**record, "annotations": {labels.REQUESTED: datetime.now(UTC).isoformat()}}
    stage.client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": asked}, manager=labels.RECONCILE_MANAGER)


def unit_of(asked: Asked) -> str:
    """The hash of the unit whose object is written; empty for what is nobody's."""
    found: Iterable[tuple[str, str]] = asked.json["metadata"].get("labels", {}).items() if asked.method == "PATCH" else ()
    return dict(found).get(labels.UNIT, "")


def tells_that_a_unit_waits(asked: Asked) -> bool:
    """Whether it writes a record that says so."""
    if asked.resource != "configmaps":
        return False
    return any(c.type == "Ready" and c.status != "True" for c in from_config_map(asked.json).conditions)
