"""The signals that end a serving command, in a process of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.contract

UNWINDING = """
import os, signal, subprocess, sys
from controller.cli.interruption import interrupted_once

with interrupted_once() as interruption:
    try:
        os.kill(os.getpid(), {number})
        interruption.wait()
    finally:
        os.kill(os.getpid(), {number})
        child = subprocess.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"])
        print(child.returncode)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_the_first_signal_unwinds_and_what_is_started_meanwhile_can_be_ended(number: int, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", UNWINDING.format(number=int(number))], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, f"{-signal.SIGTERM}\n", "")
