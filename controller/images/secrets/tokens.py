"""Tokens and keys that say themselves what they are, by the prefixes and lengths that their issuers document.

Facts: the rules of gitleaks (https://github.com/gitleaks/gitleaks/blob/v8.28.0/config/gitleaks.toml) and of the issuers'
own secret scanning. What has no prefix of its own is left out, and so are JSON Web Tokens, which are too common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from re import Pattern

_BEFORE = rb"(?<![A-Za-z0-9_])"
_AFTER = rb"(?![A-Za-z0-9_])"


@dataclass(frozen=True, slots=True)
class Token:
    """One kind: the text `anchor` lies `lead` bytes behind the beginning of what `pattern` matches.

    The pattern's only group, else all of it, is the secret. No pattern repeats without a bound, so that looking around
    every anchor costs a time that is proportional to the file.
    """

    what: str
    anchor: bytes
    pattern: Pattern[bytes]
    lead: int = 0

    def occurrences(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(position, secret) of everything that looks like one."""
        at = data.find(self.anchor)
        while at >= 0:
            found = self.pattern.match(data, max(0, at - self.lead))
            if found:
                yield found.start(), found[found.lastindex or 0]
            at = data.find(self.anchor, at + 1)


def _token(what: str, anchor: str, rest: str, lead: int = 0, *, before: bytes = _BEFORE, after: bytes = _AFTER) -> Token:
    """A token that `rest`, a regular expression, completes; with a `lead`, `rest` is the whole of it."""
    body = rest.encode() if lead else re.escape(anchor.encode()) + rest.encode()
    return Token(what, anchor.encode(), re.compile(before + b"(?:" + body + b")" + after), lead)


_AWS = r"[A-Z2-7]{16}"
_WORD = r"[A-Za-z0-9_-]"
_OPENAI = rf"(?:{_WORD}{{74}}|{_WORD}{{58}})"
_AWS_SECRET = re.compile(
    rb"""(?i:secret_?access_?key|(?<=aws_)secret_key)["']?\s{0,4}(?:=>|[=:])\s{0,4}["']?"""
    rb"""(?=[^\s"']{0,39}[G-Zg-z+/])([A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])"""
)
"""By the name that it is given; not what may be a digest in hexadecimal."""

TOKENS = (
    *(_token("an AWS access key", prefix, _AWS) for prefix in ("AKIA", "ASIA", "ABIA", "ACCA")),
    Token("an AWS secret key", b"ecret", _AWS_SECRET, 1),
    Token("an AWS secret key", b"ECRET", _AWS_SECRET, 1),
    _token("a Google API key", "AIza", rf"{_WORD}{{35}}", after=rb"(?![A-Za-z0-9_-])"),
    _token("a Google OAuth secret", "GOCSPX-", rf"{_WORD}{{28}}", after=rb"(?![A-Za-z0-9_-])"),
    _token("an Azure storage key", "AccountKey=", r"[A-Za-z0-9+/]{86}==", after=b""),
    _token(
        "an Azure client secret",
        "Q~",
        r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
        4,
        before=rb"(?<![A-Za-z0-9_~.-])",
        after=rb"(?![A-Za-z0-9_~.-])",
    ),
    *(_token("a GitHub token", prefix, r"[A-Za-z0-9]{36}") for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    _token("a GitHub token", "github_pat_", r"[A-Za-z0-9_]{82}"),
    _token("a GitLab token", "glpat-", rf"{_WORD}{{20}}", after=b""),
    *(_token("a GitLab token", prefix, rf"{_WORD}{{20}}", after=b"") for prefix in ("gldt-", "glrt-", "glsoat-", "glft-")),
    _token("a GitLab token", "glptt-", r"[0-9a-f]{40}"),
    *(
        _token("a Slack token", prefix, rf"[0-9]{{8,14}}-{_WORD}{{18}}", after=b"")
        for prefix in ("xoxb-", "xoxp-", "xoxa-", "xoxr-")
    ),
    _token("a Slack token", "xapp-", r"[0-9]-[A-Z0-9]{5,20}-[0-9]{5,20}-[a-f0-9]{32}", after=b""),
    _token("a Slack webhook", "hooks.slack.com/services/", r"T[A-Z0-9]{6,14}/B[A-Z0-9]{6,14}/[A-Za-z0-9]{20,32}"),
    _token("a Hugging Face token", "hf_", r"[A-Za-z]{34}"),
    _token("a Hugging Face token", "api_org_", r"[A-Za-z]{34}"),
    Token(
        "an OpenAI key", b"T3BlbkFJ", re.compile(rb"(?<![A-Za-z0-9_-])(sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})(?![\w-])"), 23
    ),
    *(
        _token("an OpenAI key", prefix, rf"{_OPENAI}T3BlbkFJ{_OPENAI}", after=rb"(?![A-Za-z0-9_-])")
        for prefix in ("sk-proj-", "sk-svcacct-", "sk-admin-")
    ),
    *(
        _token("an Anthropic key", prefix, rf"{_WORD}{{93}}AA", after=rb"(?![A-Za-z0-9_-])")
        for prefix in ("sk-ant-api03-", "sk-ant-admin01-")
    ),
    *(_token("a Stripe key", prefix, r"[A-Za-z0-9]{16}", after=b"") for prefix in ("sk_live_", "rk_live_")),
    _token("an npm token", "npm_", r"[A-Za-z0-9]{36}"),
    _token("a PyPI token", "pypi-AgEIcHlwaS5vcmc", rf"{_WORD}{{50}}", after=b""),
    _token("a Docker Hub token", "dckr_pat_", rf"{_WORD}{{27}}", after=rb"(?![A-Za-z0-9_-])"),
    _token("a SendGrid key", "SG.", rf"{_WORD}{{22}}\.{_WORD}{{43}}", after=rb"(?![A-Za-z0-9_-])"),
    _token("a DigitalOcean token", "dop_v1_", r"[0-9a-f]{64}"),
    _token("a Databricks token", "dapi", r"[0-9a-f]{32}(?:-[0-9])?"),
    _token("a Vault token", "hvs.", rf"{_WORD}{{90}}", after=b""),
    _token("a Grafana token", "glsa_", r"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
)
"""Everything that is looked for in every small text."""
