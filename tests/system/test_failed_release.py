"""What does not work never gets the alias, and the reason is in the endpoint's own words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.system.repository import DEPLOYMENT, Repository, deployment_file, valohai
from tests.system.stage import Stage, eventually

pytestmark = pytest.mark.system
WORDS = "the flux capacitor is missing"
PICKY = f"import os, sys\nif os.environ.get('COLOR') == 'mauve':\n    sys.exit('{WORDS}')\nimport serve\n"
GOLDEN = {"request": {"path": "/"}, "expect": {"status": 200, "json": {"code": "something else"}}}
BROKEN: dict[str, dict[str, Any]] = {
    "fails-golden": {"golden/say/code.yaml": GOLDEN},
    "exits": {"valohai.yaml": valohai(f"echo {WORDS} >&2; exit 3")},
    "never-listens": {"valohai.yaml": valohai("exec sleep 600")},
}
HURRY = {"rollout": {"deadline": "6s"}}


@pytest.fixture
def repository(repository: Repository) -> Repository:
    """A deployment for each way to fail, each serving 1.0 in the beginning."""
    for kind in BROKEN:
        repository.write(deployment_file(kind), {})
        repository.release("1.0", deployment=kind)
    repository.release("1.0")
    return repository


def test_the_alias_stays_and_the_reason_quotes_the_endpoint(stage: Stage) -> None:
    for kind in BROKEN:
        stage.until("production", kind, version="1.0")
    for number, (kind, files) in enumerate(BROKEN.items(), start=2):
        name, settings = f"{number}.0", {} if kind == "fails-golden" else HURRY
        declared = {f"pointsman/versions/{name}.yaml": {"deployments": [kind]}, deployment_file(kind): settings}
        stage.repository.release(name, deployment=kind, **files, **declared)
    stage.until_reason(WORDS, "exit", deployment="exits")
    stage.until_reason("something else", "code of 2.0", deployment="fails-golden")
    stage.until_reason("nothing answers on port 8000", deployment="never-listens")
    for kind in BROKEN:
        made = stage.until_failed(kind)
        assert "production" in made
        assert stage.said("production", kind)["version"] == "1.0"
        conditions = {c.type: c for c in stage.record(kind).conditions}
        assert conditions["Ready"].status == "False"
    assert stage.said("production", DEPLOYMENT)["version"] == "1.0"


def test_a_setting_that_breaks_a_working_version_leaves_the_old_workload_serving(stage: Stage) -> None:
    files = {"picky.py": PICKY, "valohai.yaml": valohai("python picky.py")}
    stage.repository.release("2.0", **files)
    before = stage.until("production", version="2.0", color=None)
    commit = stage.repository.configure(**HURRY, environment={"COLOR": "mauve"})
    stage.until_failed(words=WORDS)
    assert commit in stage.record().attempted
    assert commit not in stage.record().applied
    for name in ("production", "2.0"):
        assert stage.said(name)["pid"] == before["pid"], "the version's URL keeps its working workload too"
    stage.repository.git("revert", "--no-edit", "HEAD")
    stage.until_applied(stage.repository.git("rev-parse", "HEAD"))
    assert stage.said("production")["pid"] == before["pid"]


def test_reconcile_tries_again_what_was_given_up(stage: Stage) -> None:
    started = (
        "import os, pathlib, sys\nif not pathlib.Path(os.environ['FLAG']).exists():\n    sys.exit('no flag')\nimport serve\n"
    )
    flag = stage.repository.root.parent / "flag"
    stage.repository.configure(**HURRY, environment={"FLAG": str(flag)})
    stage.repository.release("2.0", **{"late.py": started, "valohai.yaml": valohai("python late.py")})
    stage.until_failed(words="no flag")
    flag.touch()

    def serves_after_another_try() -> bool:
        made = stage.plan()
        if made and made.failures:
            # One try may not be enough: the runner pauses between the starts of a server that keeps ending.
            stage.serving.controller.reconcile(DEPLOYMENT)
        return stage.said("production").get("version") == "2.0"

    eventually(serves_after_another_try, stage.reasons)
