"""Credentials for git as variables of its environment: they name files, so no secret is an argument or a variable."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

_HELPER = (
    '!f() { test "$1" = get || exit 0; '
    'printf "username=%s\\npassword=%s\\n" "$POINTSMAN_GIT_USERNAME" "$(cat -- "$POINTSMAN_GIT_TOKEN_FILE")"; }; f'
)
"""A credential helper (gitcredentials(7)); git runs it by `sh`, and reads the token file anew each time."""


def token_environment(url: str, token: Path, username: str) -> Mapping[str, str]:
    """For https: the token goes to the host of `url` alone, wherever that redirects to."""
    place = urlsplit(url)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"credential.{place.scheme}://{place.netloc}.helper",
        "GIT_CONFIG_VALUE_0": _HELPER,
        "POINTSMAN_GIT_USERNAME": username,
        "POINTSMAN_GIT_TOKEN_FILE": str(token),
    }


def authorities_environment(authorities: Path) -> Mapping[str, str]:
    """For https: whom to trust in place of the system's authorities."""
    return {"GIT_SSL_CAINFO": str(authorities)}


def ssh_environment(key: Path | None, known_hosts: Path) -> Mapping[str, str]:
    """For ssh: this key and no other, these hosts and no other, nothing of the user's own configuration."""
    options = ["BatchMode=yes", "ConnectTimeout=15", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={_quoted(known_hosts)}"]
    identity = ["-i", str(key), "-o", "IdentitiesOnly=yes"] if key else []
    command = ["ssh", "-F", "/dev/null", *identity, *(part for option in options for part in ("-o", option))]
    return {"GIT_SSH_COMMAND": shlex.join(command)}


def _quoted(path: Path) -> str:
    """ssh_config(5) splits file lists at spaces and expands `%`."""
    return '"' + str(path).replace("%", "%%") + '"'
