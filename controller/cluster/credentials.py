"""One reading of how to reach a cluster and as whom, and the pod's own account as one source of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kubernetes.client import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader

from controller.model.errors import Stalled
from controller.model.secret import Secret

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# A mounted token is replaced at 80 % of its life (at least 10 minutes), and client-go reads it anew every minute.
_TOKEN_FILE_LIFE = timedelta(minutes=1)
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Access:
    """`headers` are those of impersonation; `expires` is None for credentials that are good until they are refused."""

    context: str
    configuration: Configuration
    authorization: Secret | None
    headers: tuple[tuple[str, str], ...] = ()
    expires: datetime | None = None


def from_service_account(directory: Path = SERVICE_ACCOUNT) -> Access:
    """The pod's own ServiceAccount. Raises `Stalled` outside a pod."""
    configuration = Configuration()
    try:
        loader = InClusterConfigLoader(str(directory / "token"), str(directory / "ca.crt"), try_refresh_token=False)
        loader.load_and_set(configuration)
    except (ConfigException, OSError) as error:
        raise Stalled(f"no ServiceAccount of a pod here: {error}", hint="outside a cluster, name a kubeconfig") from error
    return Access("in-cluster", configuration, authorization(configuration), expires=datetime.now(UTC) + _TOKEN_FILE_LIFE)


def authorization(configuration: Configuration) -> Secret | None:
    """The Authorization header that the package's loaders prepared. Raises `Stalled` for what is no header's text."""
    text = (configuration.api_key.get("BearerToken") or "").strip()
    if _CONTROL_CHARACTER.search(text):
        raise Stalled("the token contains a line break or another control character", hint="write the token on one line")
    return Secret(text) if text else None
