"""A cluster's API server as the caller: address, credentials and the pool of connections, each from the package."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import urllib3
from kubernetes.client.rest import RESTClientObject
from urllib3.exceptions import HTTPError, SSLError

from controller.cluster.credentials import SERVICE_ACCOUNT, Access, from_service_account
from controller.cluster.kubeconfig import DEFAULT_KUBECONFIG, from_kubeconfig
from controller.cluster.one_write import send_in_one_write
from controller.model.errors import PointsmanError, Stalled, Unavailable

CONNECT_TIMEOUT = 10.0
"""Seconds until a server that does not even answer the handshake counts as unreachable."""

_MARGIN = timedelta(seconds=10)
_PAUSE = timedelta(seconds=10)
_UNAUTHORIZED = 401
_HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "pointsman"}
_APPLY = "application/apply-patch+yaml"  # of which JSON is a form; Pointsman sends no other patch
_REPRESENTED = re.compile(r"^<?\w+\([^)]*\)>?: ")
_log = logging.getLogger(__name__)


def connect(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    in_cluster: bool = False,
    allow_exec: Collection[str] | None = None,
    pool_size: int = 64,
    service_account: Path = SERVICE_ACCOUNT,
) -> Connection:
    """The way to one cluster. Nothing is sent yet. Raises `Stalled` for a configuration that cannot be used.

    `kubeconfig` may be several paths joined by `:`, as in $KUBECONFIG; None is `~/.kube/config`. `allow_exec` names the
    credential plug-ins that may run: None any (a person's own command line), a collection only these (a daemon).
    `pool_size` is how many idle connections are kept.
    """
    if in_cluster:
        return Connection(lambda: from_service_account(service_account), pool_size)
    files = str(kubeconfig or DEFAULT_KUBECONFIG)
    return Connection(lambda: from_kubeconfig(files, context, allow_exec), pool_size)


@dataclass(frozen=True, slots=True)
class _Session:
    access: Access
    pool: urllib3.PoolManager
    headers: urllib3.HTTPHeaderDict
    patch_headers: urllib3.HTTPHeaderDict
    renew_at: datetime | None


class Connection:
    """Sends single requests, with the credentials of the moment: they are read again before they expire and after a 401.

    Safe for many threads. No error's message contains a credential.
    """

    def __init__(self, load: Callable[[], Access], pool_size: int = 64) -> None:
        self._load = load
        self._pool_size = pool_size
        self._lock = threading.Lock()
        self._session = self._open(load(), None)

    @property
    def context_name(self) -> str:
        return self._session.access.context

    @property
    def server(self) -> str:
        return str(self._session.access.configuration.host)

    def close(self) -> None:
        """Close the idle connections."""
        self._session.pool.clear()

    def send(self, method: str, path: str, *, read_timeout: float, body: bytes | None = None) -> urllib3.BaseHTTPResponse:
        """One request; the answer's body is still to be read. A refused credential is read anew and tried once more.

        `read_timeout` is the longest silence in seconds. Raises `Unavailable`, or `Stalled` for a certificate that is wrong.
        """
        session = self._current()
        response = self._exchange(session, method, path, read_timeout, body)
        if response.status != _UNAUTHORIZED:
            return response
        response.close()
        return self._exchange(self._renewed(session, refused=True), method, path, read_timeout, body)

    def _exchange(
        self, session: _Session, method: str, path: str, read_timeout: float, body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        try:
            return session.pool.urlopen(
                method,
                f"{session.access.configuration.host}{path}",
                body=body,
                headers=session.patch_headers if method == "PATCH" else session.headers,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=read_timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise_unreachable(self.server, error)

    def _current(self) -> _Session:
        session = self._session
        if session.renew_at is None or datetime.now(UTC) < session.renew_at:
            return session
        try:
            return self._renewed(session)
        except PointsmanError as error:
            _log.warning("credentials of %s were not renewed: %s", self.context_name, error)
            with self._lock:
                self._session = replace(session, renew_at=datetime.now(UTC) + _PAUSE)
                return self._session

    def _renewed(self, stale: _Session, *, refused: bool = False) -> _Session:
        """What replaces `stale`: read once, whoever finds out first. What was refused takes its connections along."""
        with self._lock:
            if self._session is stale:
                self._session = self._open(self._load(), None if refused else stale)
                if self._session.pool is not stale.pool:
                    stale.pool.clear()
            return self._session

    def _open(self, access: Access, former: _Session | None) -> _Session:
        pool = former.pool if former and _transport(former.access) == _transport(access) else self._pool(access)
        headers = urllib3.HTTPHeaderDict(_HEADERS)
        if access.authorization is not None:
            headers["Authorization"] = access.authorization.reveal()
        for name, value in access.headers:
            headers.add(name, value)
        patch_headers = headers.copy()
        patch_headers["Content-Type"] = _APPLY
        return _Session(access, pool, headers, patch_headers, _renewal(access.expires))

    def _pool(self, access: Access) -> urllib3.PoolManager:
        access.configuration.connection_pool_maxsize = self._pool_size
        access.configuration.keep_alive = True
        pool = RESTClientObject(access.configuration).pool_manager
        send_in_one_write(pool)
        return pool


def raise_unreachable(server: str, error: Exception) -> NoReturn:
    """What a failed connection means. A certificate that does not fit stays wrong until a person acts."""
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        raise Stalled(f"the certificate of {server} is not trusted: {error}", hint="check certificate-authority") from error
    raise Unavailable(f"{server} does not answer: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """The operating system's words where there are some; urllib3's own begin with the representation of an object."""
    for origin in (*error.args[-1:], error.__cause__, error):
        if isinstance(origin, OSError) and str(origin):
            return origin.strerror or str(origin)
    return _REPRESENTED.sub("", str(error)) or type(error).__name__


def _renewal(expires: datetime | None) -> datetime | None:
    """A little before the end, also of a life shorter than any fixed margin; never so that every request would renew."""
    if expires is None:
        return None
    now = datetime.now(UTC)
    return max(expires - min(_MARGIN, (expires - now) / 10), now + _PAUSE / 2)


def _transport(access: Access) -> tuple[object, ...]:
    """What a connection is made from. Certificates with other content lie in other files."""
    of = access.configuration
    return (of.host, of.ssl_ca_cert, of.cert_file, of.key_file, of.verify_ssl, of.tls_server_name, of.proxy)
