"""An embedded cluster as one of a configuration's targets."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace

from controller.cli.context import environment
from controller.cli.profile import embedded_profile
from controller.cli.runtime.choice import choose
from controller.cli.runtime.parts import parts
from controller.embedded.cluster import EmbeddedCluster
from controller.embedded.state_directory import StateDirectory
from controller.engine.targets import Target
from controller.model.configuration import EmbeddedAccess, TargetSettings
from controller.model.desired import TargetProfile
from controller.model.secret import Secret

_log = logging.getLogger(__name__)


def open_embedded(settings: TargetSettings, access: EmbeddedAccess, installation: str, opened: ExitStack) -> Target:
    """Take the state directory and run its cluster. Raises Stalled when another process owns it or the port is taken.

    Raises Unavailable where its endpoints are to run in Docker, and no Engine answers.
    """
    state = StateDirectory(access.state).create()
    choice = choose(access.runtime, environment())
    _log.info("target %s: %s", settings.name, choice.sentence)
    made = parts(choice, state, environment(), opened, allow_file_urls=False)
    cluster = opened.enter_context(EmbeddedCluster(state, made.runtime, port=access.port, clean=made.clean))
    profile = _profile(embedded_profile(state, cluster.url), settings, installation)
    return Target(profile, cluster.store, made.builder, lambda: (cluster.url,), Secret(cluster.probe_token))


def _profile(usual: TargetProfile, settings: TargetSettings, installation: str) -> TargetProfile:
    least, drain = settings.min_ready_seconds, settings.drain
    return replace(
        usual,
        name=settings.name,
        installation=installation,
        open_access=settings.open_access,
        min_ready_seconds=usual.min_ready_seconds if least is None else least,
        drain_seconds=usual.drain_seconds if drain is None else drain,
    )
