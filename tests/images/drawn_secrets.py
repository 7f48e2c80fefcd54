"""Secrets that open nothing: drawn when a test runs, so that none stands in this repository."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping

LETTERS, DIGITS = string.ascii_letters, string.digits
WORDS = f"{LETTERS}{DIGITS}"
URL = f"{WORDS}_-"
HEX = "0123456789abcdef"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE64 = f"{WORDS}+/"


def drawn(alphabet: str, count: int, seed: int = 1) -> str:
    """Text without runs, as a random one nearly always is."""
    chance = random.Random(seed)
    found = ""
    while len(found) < count:
        letter = chance.choice(alphabet)
        if not found or abs(ord(letter) - ord(found[-1])) > 1:
            found += letter
    return found


def private_key(kind: str = "", lines: int = 4) -> str:
    """A block in PEM's form with a body that is none."""
    name = f"{kind} PRIVATE KEY".strip()
    body = "\n".join(drawn(BASE64, 64, line) for line in range(lines))
    return f"-----BEGIN {name}-----\n{body}\n-----END {name}-----\n"


SECRETS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "aws": ("an AWS access key", lambda: "AKIA" + drawn(BASE32, 16)),
    "aws temporary": ("an AWS access key", lambda: "ASIA" + drawn(BASE32, 16)),
    "aws secret": ("an AWS secret key", lambda: f'aws_secret_access_key = "{drawn(BASE64, 40)}"'),
    "aws secret in JSON": ("an AWS secret key", lambda: f'{{"SecretAccessKey": "{drawn(BASE64, 40)}"}}'),
    "aws secret in a shell": ("an AWS secret key", lambda: f"export AWS_SECRET_ACCESS_KEY={drawn(BASE64, 40)}"),
    "google": ("a Google API key", lambda: "AIza" + drawn(URL, 35)),
    "google oauth": ("a Google OAuth secret", lambda: "GOCSPX-" + drawn(URL, 28)),
    "azure storage": ("an Azure storage key", lambda: f"AccountName=a;AccountKey={drawn(BASE64, 86)}==;"),
    "azure client": ("an Azure client secret", lambda: f'secret="{drawn(WORDS, 3)}8Q~{drawn(WORDS, 34)}"'),
    **{f"github {p}": ("a GitHub token", lambda p=p: p + drawn(WORDS, 36)) for p in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")},
    "github fine-grained": ("a GitHub token", lambda: f"github_pat_{drawn(WORDS, 22)}_{drawn(WORDS, 59)}"),
    "gitlab": ("a GitLab token", lambda: "glpat-" + drawn(URL, 20)),
    "gitlab routable": ("a GitLab token", lambda: f"glpat-{drawn(URL, 44)}.01.{drawn(HEX, 9)}"),
    "gitlab trigger": ("a GitLab token", lambda: "glptt-" + drawn(HEX, 40)),
    "slack bot": ("a Slack token", lambda: f"xoxb-{drawn(DIGITS, 12)}-{drawn(DIGITS, 13)}-{drawn(WORDS, 24)}"),
    "slack app": ("a Slack token", lambda: f"xapp-1-A{drawn(BASE32, 10)}-{drawn(DIGITS, 13)}-{drawn(HEX, 64)}"),
    "slack webhook": (
        "a Slack webhook",
        lambda: f"https://hooks.slack.com/services/T{drawn(BASE32, 8)}/B{drawn(BASE32, 10)}/{drawn(WORDS, 24)}",
    ),
    "hugging face": ("a Hugging Face token", lambda: "hf_" + drawn(LETTERS, 34)),
    "openai": ("an OpenAI key", lambda: f"sk-{drawn(WORDS, 20)}T3BlbkFJ{drawn(WORDS, 20, 2)}"),
    "openai project": ("an OpenAI key", lambda: f"sk-proj-{drawn(URL, 74)}T3BlbkFJ{drawn(URL, 74, 2)}"),
    "anthropic": ("an Anthropic key", lambda: f"sk-ant-api03-{drawn(URL, 93)}AA"),
    "stripe": ("a Stripe key", lambda: "sk_live_" + drawn(WORDS, 24)),
    "npm": ("an npm token", lambda: "npm_" + drawn(WORDS, 36)),
    "pypi": ("a PyPI token", lambda: "pypi-AgEIcHlwaS5vcmc" + drawn(URL, 150)),
    "docker hub": ("a Docker Hub token", lambda: "dckr_pat_" + drawn(URL, 27)),
    "sendgrid": ("a SendGrid key", lambda: f"SG.{drawn(URL, 22)}.{drawn(URL, 43, 2)}"),
    "digitalocean": ("a DigitalOcean token", lambda: "dop_v1_" + drawn(HEX, 64)),
    "databricks": ("a Databricks token", lambda: "dapi" + drawn(HEX, 32)),
    "vault": ("a Vault token", lambda: "hvs." + drawn(URL, 95)),
    "grafana": ("a Grafana token", lambda: f"glsa_{drawn(WORDS, 32)}_{drawn(HEX, 8)}"),
    **{
        f"key {kind}": ("a private key", lambda kind=kind: private_key(kind))
        for kind in ("", "RSA", "EC", "OPENSSH", "ENCRYPTED")
    },
    "key in a string": ("a private key", lambda: private_key().replace("\n", "\\n")),
    "key of PGP": ("a private key", lambda: private_key("PGP").replace("KEY-----", "KEY BLOCK-----")),
    "key of PuTTY": (
        "a private key",
        lambda: f"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 4\n{drawn(BASE64, 64)}\n",
    ),
}
"""By kind: what it is called, and one of it."""
