"""An embedded cluster as one of a configuration's targets."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from controller.cli.context import environment, search_path
from controller.cli.profile import embedded_profile
from controller.embedded.cluster import EmbeddedCluster
from controller.embedded.runtime.process.runtime import processes
from controller.embedded.state_directory import StateDirectory
from controller.engine.targets import Target
from controller.images.builder import LayoutBuilder
from controller.images.cleaning import ImageCleaner
from controller.images.unpack import Unpacker
from controller.model.configuration import EmbeddedAccess, TargetSettings
from controller.model.desired import TargetProfile
from controller.model.secret import Secret


def open_embedded(settings: TargetSettings, access: EmbeddedAccess, installation: str, opened: ExitStack) -> Target:
    """Take the state directory and run its cluster. Raises Stalled when another process owns it or the port is taken."""
    state = StateDirectory(access.state).create()
    clean = ImageCleaner(state.images, state.cache).remove_unnamed
    unpacker = Unpacker(state.images, state.cache)
    cluster = opened.enter_context(EmbeddedCluster(state, processes(unpacker, search_path()), port=access.port, clean=clean))
    builder = LayoutBuilder(state.images, state.cache, allow_file_urls=False, environment=environment())
    profile = _profile(embedded_profile(state, cluster.url), settings, installation)
    return Target(profile, cluster.store, builder, lambda: (cluster.url,), Secret(cluster.probe_token))


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
