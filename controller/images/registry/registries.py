"""Which registry a name leads to: the one that is pushed to, a mirror, or the one that the name says."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping

from controller.images.registry.auth import Credentials
from controller.images.registry.client import RegistryClient
from controller.images.registry.push import Origin
from controller.images.registry.reference import DOCKER_HUB, Location, Reference, default_location, parse_location
from controller.images.registry.session import FIRST_PAUSE, Session, Tick


class Registries:
    """Sessions by registry, made when first needed and kept: one per address, whatever names lead there.

    `mirrors` maps the name of a registry, as base images are written, to the URL that is asked in its place.
    """

    def __init__(
        self,
        mirrors: Mapping[str, str],
        credentials: Credentials,
        *,
        verify: ssl.SSLContext | bool = True,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._mirrors = {name: parse_location(url) for name, url in mirrors.items()}
        self._credentials = credentials
        self._verify = verify
        self._first_pause = first_pause
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def session(self, location: Location, name: str = "") -> Session:
        """The connection to a registry; `name` is what its credentials are kept under, by default its host."""
        with self._lock:
            if location.url not in self._sessions:
                self._sessions[location.url] = self._connect(location, name or location.host)
            return self._sessions[location.url]

    def _connect(self, location: Location, name: str) -> Session:
        return Session(location, name, self._credentials, verify=self._verify, first_pause=self._first_pause)

    def origin(self, reference: Reference, tick: Tick) -> Origin:
        """Where an image is to be had."""
        mirror = self._mirrors.get(reference.registry)
        location = mirror or default_location(reference.registry)
        name = DOCKER_HUB if mirror is None and reference.registry == DOCKER_HUB else ""
        return Origin(RegistryClient(self.session(location, name), tick), location.below(reference.repository))

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()
