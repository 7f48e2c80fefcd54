from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster.fixtures", "tests.docker_engine.fixtures"]

# What a test is about does not depend on whether Docker runs on this machine.
os.environ["POINTSMAN_RUNTIME"] = "process"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So begins what a shell starts in the background, and everything that this starts would not hear of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no failure: no test asserts a duration, so neither may the library that makes up its cases.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("patient"), max_examples=1000)
settings.load_profile("patient")
