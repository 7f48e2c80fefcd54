"""What does not work on Kubernetes never gets the alias: it goes on answering, and the reason is the pod's own."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from controller.model.objects import at
from tests.cluster.fixtures import Testbed
from tests.cluster.load import constant_load
from tests.cluster.people import Person, somebody
from tests.cluster.stage import Stage, eventually, open_to_all, staged
from tests.system.repository import Repository, alias_file, deployment_file, valohai, version_file

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
GOLDEN_FILE = "golden/say/answer.yaml"
WORDS = "the flux capacitor is missing"
PATIENT: dict[str, Any] = {"rollout": {"deadline": "5m"}, "idle": {"replicas": 0}}
HURRIED = {**PATIENT, "rollout": {"deadline": "15s"}}
"""What fails at once needs no deadline, and what is to serve must have time."""
HUNGRY = """python -c 'print(len("x" * (1 << 30)))'"""


@dataclass(frozen=True)
class Case:
    """A release that fails, and what is said of it."""

    said: tuple[str, ...]
    command: str = "python serve.py"
    version: Mapping[str, Any] = field(default_factory=dict)
    golden: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=lambda: PATIENT)


CASES = {
    "never-listens": Case(("runs, but does not answer a connection on port 8000",), "exec sleep 600", settings=HURRIED),
    "exits": Case(("exited with code 3", WORDS), f"echo {WORDS} >&2; exit 3", settings=HURRIED),
    "has-no-memory": Case(
        ("ran out of memory",),
        HUNGRY,
        {"endpoints": {"say": {"resources": {"memory": {"min": 30, "max": 60}}}}},
        settings=HURRIED,
    ),
    "does-not-fit": Case(
        ("needs 100 CPU, and no node that it may run on has more than 2 CPU",),
        version={"endpoints": {"say": {"resources": {"cpu": {"min": 100}}}}},
    ),
    "answers-wrongly": Case(("something else", "code of "), golden={"json": {"code": "something else"}}),
}
WITHOUT_SECRET, WITHOUT_IMAGE = "without-secret", "without-image"


def deployments(directory: Path, project: str) -> Repository:
    """One for each way to fail, each to serve 1.0 in the beginning."""
    repository = open_to_all(directory, project)
    for kind in (*CASES, WITHOUT_SECRET, WITHOUT_IMAGE):
        repository.configure(kind, **PATIENT)
        repository.write(alias_file(deployment=kind), {"version": "1.0"})
    repository.release("1.0")
    return repository


@pytest.fixture(scope="module")
def stage(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(testbed, tmp_path_factory.mktemp("failed"), make=deployments) as found, found.controller():
        for kind in (*CASES, WITHOUT_SECRET, WITHOUT_IMAGE):
            found.of(kind).until("production", version="1.0")
        yield found


@pytest.fixture
def person(stage: Stage, tmp_path: Path) -> Iterator[Person]:
    """Somebody who may look and ask for another try, in a checkout of the repository."""
    admin, home, roles = stage.testbed.kubeconfig, stage.installation.namespace, ("pointsman-viewer", "pointsman-operator")
    with somebody(admin, home, roles, tmp_path, stage.repository.root) as hired:
        yield hired


@pytest.mark.parametrize("kind", CASES)
def test_the_alias_stays_answers_and_the_reason_is_the_pods_own(kind: str, stage: Stage, person: Person) -> None:
    here, case = stage.of(kind), CASES[kind]
    with constant_load(here, "production") as load:
        commit = release(here, kind, case)
        waited = person.types("status", kind, "--wait", "--revision", commit, "--timeout", "3m")
        assert waited.code == 1
        told_of(waited.err.splitlines()[-1], "production", *case.said)
        told_of(person.types("status", kind, "-o", "wide").out, *case.said)
        stays(here, kind)
        assert commit not in here.record().applied
    assert load.faults == []
    here.until_applied(here.repository.move("1.0", deployment=kind))


def test_a_missing_secret_is_asked_for_and_the_release_goes_on_once_it_is_there(stage: Stage, person: Person) -> None:
    kind = WITHOUT_SECRET
    here = stage.of(kind)
    with constant_load(here, "production") as load:
        release(here, kind, Case((), version={"environment": {"TOKEN": {"secret": "api", "key": "token"}}}))
        said = ("Secret api has no key token", f"kubectl create secret generic api -n {here.namespace}")
        waits_for(here, person, kind, *said)
        assert [at(pod, "metadata", "name") for pod in here.pods().values() if kind in at(pod, "metadata", "name")] == []
        metadata = {"name": "api", "namespace": here.namespace}
        data = {"token": base64.b64encode(b"hush").decode()}
        here.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, manager="somebody")
        here.until("production", version=f"2.0-{kind}", token="hush")
    assert load.faults == []
    assert "hush" not in here.logs[-1].read_text()


def test_an_image_that_is_gone_from_the_registry_is_missed_and_built_again_when_somebody_asks(
    stage: Stage, person: Person
) -> None:
    """It is built, and no pod has pulled it yet; then somebody cleans up."""
    kind = WITHOUT_IMAGE
    here, version = stage.of(kind), f"2.0-{WITHOUT_IMAGE}"
    built = here.repository.release(version, None, kind, **files_of(kind, Case(())))
    here.until_applied(built)
    image = at(here.workload(version), "spec", "template", "spec", "containers", 0, "image")
    with constant_load(here, "production") as load:
        remove_from_registry(here.testbed, image)
        here.repository.move(version, deployment=kind)
        waits_for(here, person, kind, "the image cannot be pulled (", "not found", "`pointsman reconcile` builds it again")
        assert person.types("reconcile", kind).code == 0
        here.until("production", version=version)
    assert load.faults == []


def release(here: Stage, kind: str, case: Case) -> str:
    """A version for one deployment alone, and its alias led to it."""
    return here.repository.release(f"2.0-{kind}", "production", kind, **files_of(kind, case))


def files_of(kind: str, case: Case) -> dict[str, Any]:
    """The code and the version file; what another case left behind is overwritten."""
    return {
        "valohai.yaml": valohai(case.command),
        version_file(f"2.0-{kind}"): {"deployments": [kind], **case.version},
        deployment_file(kind): case.settings,
        GOLDEN_FILE: {"request": {"path": "/"}, "expect": {"status": 200, **case.golden}},
    }


def waits_for(here: Stage, person: Person, kind: str, *said: str) -> None:
    """It waits, and says for what; whoever waits too is told so in the end."""
    eventually(lambda: all(words in here.conditions() for words in said), lambda: f"{here.conditions()}\n{here.log()}")
    waited = person.types("status", kind, "--wait", "--timeout", "10s")
    assert waited.code == 1
    told_of(waited.err.splitlines()[-1], "timed out after 10 s", *said)
    stays(here, kind)


def stays(here: Stage, kind: str) -> None:
    assert here.said("production")["version"] == "1.0", kind
    conditions = {c.type: c for c in here.record().conditions}
    assert conditions["Ready"].status != "True"


def told_of(text: str, *said: str) -> None:
    for words in said:
        assert words in text


def remove_from_registry(testbed: Testbed, image: str) -> None:
    """`image` is a name by digest, as the nodes know it."""
    name, digest = image.removeprefix(f"{testbed.pull}/").split("@")
    answer = httpx2.delete(f"{testbed.registry}/v2/{name}/manifests/{digest}", trust_env=False)
    assert answer.status_code == 202, answer.text
