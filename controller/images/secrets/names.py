"""Files that are made to hold credentials, by their names, and by what they must say to really hold one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from re import Pattern

_EXAMPLES = ("*.example", "*.sample", "*.template", "*.dist", "*.tmpl", "*.j2", "*.pub", "*example*.env", ".env.example*")
_VALUE = rb"""[ \t]{0,9}[=:][ \t]{0,9}["']?[^\s"'$<{#]"""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """`patterns` are of the file's name, or of the end of its path where they hold a slash. `holds` None: any bytes."""

    what: str
    patterns: tuple[str, ...]
    holds: Pattern[bytes] | None = None

    def fits(self, path: str) -> bool:
        """Whether a path, in lower case, is such a file's."""
        name = path.rpartition("/")[2]
        return any(fnmatchcase(f"/{path}", f"*/{p}") if "/" in p else fnmatchcase(name, p) for p in self.patterns)


def _file(what: str, *patterns: str, holds: bytes | None = None) -> NamedFile:
    return NamedFile(what, patterns, re.compile(holds, re.MULTILINE) if holds else None)


_NAMED = (
    _file("an SSH key", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk"),
    _file("a key store", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
    _file("environment variables", ".env", ".env.*", holds=rb"^[ \t]{0,9}(?:export[ \t]{1,9})?[A-Za-z_][\w.]{0,99}" + _VALUE),
    _file("a login of npm", ".npmrc", ".yarnrc", ".yarnrc.yml", holds=rb"(?:_authToken|_auth|_password|npmAuthToken)" + _VALUE),
    _file("a login", ".netrc", "_netrc", holds=rb"password[ \t\r\n]{1,9}\S"),
    _file("a login of a package index", ".pypirc", holds=rb"^[ \t]{0,9}password" + _VALUE),
    _file(
        "a login of a package index",
        "requirements*.txt",
        "requirements*.in",
        "constraints*.txt",
        "pip.conf",
        "uv.toml",
        holds=rb"https?://[^\s/:@\"'$<{]{1,200}:[^\s/@\"'$<{]{1,400}@",
    ),
    _file("a login of git", ".git-credentials", holds=rb"://[^\s/:@]{1,200}:[^\s/@]{1,400}@"),
    _file(
        "a login of a registry",
        ".docker/config.json",
        ".dockercfg",
        ".dockerconfigjson",
        "containers/auth.json",
        holds=rb'"(?:auth|identitytoken|registrytoken|password)"\s{0,9}:\s{0,9}"[^"]',
    ),
    _file(
        "a login of a cluster",
        ".kube/config",
        "kubeconfig",
        "*.kubeconfig",
        "kubeconfig.y*ml",
        holds=rb"(?:client-key-data|token|password|id-token|refresh-token)\"?:[ \t]{1,9}\"?[^\s\"]",
    ),
    _file(
        "a cloud's credentials",
        ".aws/credentials",
        ".boto",
        ".s3cfg",
        holds=rb"^[ \t]{0,9}(?:aws_secret_access_key|gs_oauth2_refresh_token|gs_secret_access_key|secret_key)" + _VALUE,
    ),
    _file(
        "a cloud's credentials",
        ".config/gcloud/*",
        "application_default_credentials.json",
        ".azure/*.json",
        holds=rb'"(?:private_key|refresh_token|client_secret|accessToken|refreshToken|secret)"\s{0,9}:\s{0,9}"[^"]',
    ),
    _file("a login of Kaggle", "kaggle.json", holds=rb'"key"\s{0,9}:\s{0,9}"[0-9a-f]{32}"'),
    _file("a login of a database", ".pgpass", holds=rb"^[^#\s][^:\n]{0,200}:.{1,400}$"),
    _file("a token of Vault", ".vault-token", holds=rb"\S"),
    _file("passwords", ".htpasswd", holds=rb"^[^:\s]{1,200}:\S"),
    _file("secrets of Streamlit", ".streamlit/secrets.toml", holds=rb"^[ \t]{0,9}[\w.-]{1,99}" + _VALUE),
)


def named_secrets(path: str, beginning: bytes) -> Iterator[tuple[int, str]]:
    """(position, what it is) for a file whose name says that it holds a credential, and whose beginning does not deny it."""
    lower = path.lower()
    name = lower.rpartition("/")[2]
    if not beginning or any(fnmatchcase(name, pattern) for pattern in _EXAMPLES):
        return
    for kind in _NAMED:
        if kind.fits(lower):
            found = kind.holds.search(beginning) if kind.holds else None
            if found or not kind.holds:
                yield found.start() if found else -1, kind.what
