"""Why a pod does not serve, in the endpoint's own words."""

from __future__ import annotations

from typing import Any

import pytest
from observed_examples import crashed, pod, ready_pod, waiting

from controller.health.last_words import last_words
from controller.health.pod import explain_pods

pytestmark = pytest.mark.pure

TRACEBACK = """Traceback (most recent call last):
  File "/valohai/code/server.py", line 1, in <module>
    import flask
ModuleNotFoundError: No module named 'flask'

"""

GONE = (
    'Back-off pulling image "r:5000/a@sha256:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack '
    'image "r:5000/a@sha256:1": failed to resolve reference "r:5000/a@sha256:1": r:5000/a@sha256:1: not found'
)
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "serves": (ready_pod(), None),
    "is being deleted": ({**pod(container=crashed()), "metadata": {"name": "w", "deletionTimestamp": "x"}}, None),
    "crashes": (
        pod(container=crashed(TRACEBACK)),
        "exited with code 1 three times: ModuleNotFoundError: No module named 'flask'",
    ),
    "crashed once without a word": (pod(container=crashed(restarts=0)), "exited with code 1 once"),
    "crashes for long": (pod(container=crashed(restarts=41)), "exited with code 1 42 times"),
    "needs more memory": (
        pod(container=crashed("Killed", restarts=1, exitCode=137, reason="OOMKilled")),
        "ran out of memory twice: Killed",
    ),
    "was ended by a signal": (pod(container=crashed(restarts=0, signal=11)), "was ended by signal 11 once"),
    "ended just now": (
        pod(container={"restartCount": 0, "state": {"terminated": {"exitCode": 0, "message": ""}}}),
        "exited with code 0 once",
    ),
    "runs again after a crash": (
        pod(container={"restartCount": 1, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 3}}}),
        "exited with code 3 once; started again",
    ),
    "backs off before any last state": (
        pod(container=waiting("CrashLoopBackOff", "back-off 10s")),
        "CrashLoopBackOff: back-off 10s",
    ),
    "has no image": (
        pod(container=waiting("ImagePullBackOff", "Back-off pulling image x")),
        "the image cannot be pulled (ImagePullBackOff: Back-off pulling image x)",
    ),
    "has an image that is gone": (
        pod(container=waiting("ImagePullBackOff", GONE)),
        "the image cannot be pulled (ImagePullBackOff: not found: r:5000/a@sha256:1)",
    ),
    "lacks a secret": (
        pod(container=waiting("CreateContainerConfigError", 'secret "api" not found')),
        'CreateContainerConfigError: secret "api" not found',
    ),
    "waits for a node": (
        pod(phase="Pending", scheduled=(False, "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")),
        "waits for capacity: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    ),
    "was evicted": (
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        "Evicted: The node was low on resource: memory.",
    ),
    "runs but is silent": (
        pod(ready=(False, "containers with unready status: [endpoint]"), container={"ready": False, "state": {"running": {}}}),
        "runs, but does not answer GET /healthz on port 8000",
    ),
    "runs but is silent as a process": (
        pod(message="running for 5 s but nothing answers on port 8000 (TCP)", container={"state": {"running": {}}}),
        "running for 5 s but nothing answers on port 8000 (TCP)",
    ),
    "is being created": (pod(container=waiting("ContainerCreating")), "starting"),
    "has no status yet": (pod(phase="Pending"), "starting"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_pod_that(case: str) -> None:
    found, expected = CASES[case]
    assert explain_pods([found]) == expected


def test_a_failure_is_more_telling_than_a_wait_and_a_wait_than_a_start() -> None:
    starting, silent = pod("a", container=waiting("ContainerCreating")), pod("b", container={"state": {"running": {}}})
    failing = pod("c", container=crashed("boom"))
    assert (explain_pods([starting, silent]) or "").startswith("runs, but")
    assert explain_pods([starting, silent, failing, ready_pod()]) == "exited with code 1 three times: boom"


def test_the_same_pods_in_any_order_say_the_same() -> None:
    pods = [pod("b", container=crashed("second")), pod("a", container=crashed("first"))]
    assert explain_pods(pods) == explain_pods(reversed(pods)) == "exited with code 1 three times: first"


def test_what_a_program_prints_is_one_short_printable_line() -> None:
    text = explain_pods([pod(container=crashed("\x1b[31mred\x1b[0m\tboom " + "x" * 1000))]) or ""
    assert text.isprintable()
    assert text.startswith("exited with code 1 three times: [31mred [0m boom xxx")
    assert len(text) < 400


GUNICORN_BOOT = """[2026-11-22 16:44:26 +0000] [20341] [INFO] Booting worker with pid: 20382
{reason}
[2026-11-22 16:44:26 +0000] [20341] [ERROR] Shutting down: Master
[2026-11-22 16:44:26 +0000] [20341] [ERROR] Reason: Worker failed to boot."""


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("", ""),
        ("one\n two \n\n", "two"),
        (TRACEBACK, "ModuleNotFoundError: No module named 'flask'"),
        (TRACEBACK + "bye\n", "ModuleNotFoundError: No module named 'flask'"),
        ("Traceback (most recent call last):\n  File", "File"),
        (GUNICORN_BOOT.format(reason=TRACEBACK), "ModuleNotFoundError: No module named 'flask'"),
        (GUNICORN_BOOT.format(reason="Failed to find attribute 'app' in 'bad'."), "Failed to find attribute 'app' in 'bad'."),
        ("[2026-11-22 16:44:26 +0000] [2] [ERROR] Shutting down", "[2026-11-22 16:44:26 +0000] [2] [ERROR] Shutting down"),
    ],
)
def test_last_words(printed: str, words: str) -> None:
    assert last_words(printed) == words


def test_nothing_to_explain() -> None:
    assert explain_pods([]) is None
