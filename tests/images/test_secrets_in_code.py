"""Secrets in the code: what is found, what is left alone, and that nothing of a secret is ever printed."""

from __future__ import annotations

import re

import pytest
from drawn_secrets import BASE64, HEX, LETTERS, SECRETS, WORDS, drawn, private_key
from hypothesis import given
from hypothesis import strategies as st
from image_examples import MemoryCode, blob_of

from controller.images.secrets.code import Scanned, not_allowed, refusal, secrets_in
from controller.images.secrets.finding import Finding
from controller.images.secrets.scan import LONGEST, scan
from controller.images.secrets.tokens import TOKENS
from controller.model.patterns import path_matches

pytestmark = pytest.mark.pure


def found(text: str | bytes, path: str = "app/settings.py") -> list[tuple[int, str]]:
    data = text if isinstance(text, bytes) else text.encode()
    return [(each.line, each.what) for each in scan(path, data)]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_with_its_line(kind: str) -> None:
    what, secret = SECRETS[kind][0], SECRETS[kind][1]()
    assert found(f"import os\n\nTOKEN = '{secret}'\n") == [(3, what)]
    assert found(f"\r\n{secret}") == [(2, what)]


@pytest.mark.parametrize("kind", [kind for kind in SECRETS if not kind.startswith(("key", "slack webhook", "azure storage"))])
def test_a_secret_s_form_inside_a_longer_word_is_none(kind: str) -> None:
    secret = SECRETS[kind][1]()
    assert found(f"x{secret}") == [] or "secret" in kind or "azure" in kind


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "SECRET_ACCESS_KEY = " + drawn(HEX, 40),
        "ghp_" + "x" * 36,
        "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
        "ghp_" + "your0token0goes0here0" + drawn(WORDS, 15),
        "hf_" + "aBcD" * 8 + "aB",
        "xoxb-123456789012-1234567890123-" + drawn(WORDS, 24),
        "sk-" + "." * 48,
        "sk_test_" + drawn(WORDS, 24),
        "glpat-" + "-" * 20,
        "dapi" + "0" * 32,
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n-----END PRIVATE KEY-----",
        'if text.startswith("-----BEGIN PRIVATE KEY-----"):\n    raise SomethingThatIsReallyQuiteLong("no")',
        private_key().replace("PRIVATE", "PUBLIC"),
        "-----BEGIN CERTIFICATE-----\n" + drawn(BASE64, 64) + "\n-----END CERTIFICATE-----",
        "eyJhbGciOiJIUzI1NiJ9." + drawn(WORDS, 40) + "." + drawn(WORDS, 43),
        "sha256:" + drawn(HEX, 64),
        "password = 'hunter2'",
    ],
)
def test_placeholders_and_harmless_texts_are_left_alone(text: str) -> None:
    assert found(text) == []


PASSWORD = drawn(WORDS, 12)


@pytest.mark.parametrize(
    ("path", "text", "line", "what"),
    [
        (".env", "# local\nAPI_KEY=1\n", 2, "environment variables"),
        ("app/.env.production", "export A='b'", 1, "environment variables"),
        (".ENV", "A=b", 1, "environment variables"),
        ("deploy/id_rsa", "anything", 0, "an SSH key"),
        ("id_ed25519", "anything", 0, "an SSH key"),
        ("certificates/server.p12", "\0binary", 0, "a key store"),
        (".npmrc", f"registry=https://r\n//r/:_authToken={PASSWORD}", 2, "a login of npm"),
        (".netrc", f"machine a login b\npassword {PASSWORD}", 2, "a login"),
        (".pypirc", f"[pypi]\nusername = a\npassword = {PASSWORD}", 3, "a login of a package index"),
        ("pip.conf", f"[global]\nindex-url = https://a:{PASSWORD}@index.example.com/", 2, "a login of a package index"),
        ("requirements-deployment.txt", f"--extra-index-url https://a:{PASSWORD}@r/\nsix", 1, "a login of a package index"),
        (".git-credentials", f"https://a:{PASSWORD}@git.example.com", 1, "a login of git"),
        (".docker/config.json", f'{{"auths": {{"r": {{"auth": "{PASSWORD}"}}}}}}', 1, "a login of a registry"),
        ("home/.kube/config", f"users:\n- user:\n    token: {PASSWORD}", 3, "a login of a cluster"),
        ("prod.kubeconfig", f"    client-key-data: {PASSWORD}", 1, "a login of a cluster"),
        ("x/.aws/credentials", f"[default]\naws_secret_access_key={PASSWORD}", 2, "a cloud's credentials"),
        (".config/gcloud/a.json", f'{{\n"refresh_token": "{PASSWORD}"}}', 2, "a cloud's credentials"),
        (".azure/accessTokens.json", f'[{{"refreshToken": "{PASSWORD}"}}]', 1, "a cloud's credentials"),
        ("kaggle.json", f'{{"username":"a","key":"{drawn(HEX, 32)}"}}', 1, "a login of Kaggle"),
        (".pgpass", f"host:5432:db:user:{PASSWORD}", 1, "a login of a database"),
        (".vault-token", PASSWORD, 1, "a token of Vault"),
        (".htpasswd", f"user:{PASSWORD}", 1, "passwords"),
        (".streamlit/secrets.toml", f'[db]\npassword = "{PASSWORD}"', 2, "secrets of Streamlit"),
    ],
)
def test_a_file_that_is_made_for_credentials_is_found_by_its_name(path: str, text: str, line: int, what: str) -> None:
    assert found(text, path) == [(line, what)]
    assert found("", path) == [], "an empty file holds nothing"
    assert found(text, f"{path}.example") == [], "an example is made to be shared"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".env.example", "API_KEY=1"),
        (".env", "# nothing\nA=\nB=$C\n"),
        ("environment.py", "A=1"),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\n" + drawn(BASE64, 64)),
        ("id_rsa.pub", "ssh-rsa AAAA"),
        ("identity.py", "a = 1"),
        ("id_mapping.csv", "a,1"),
        (".npmrc", "registry=https://r\n//r/:_authToken=${NPM_TOKEN}\n"),
        (".netrc", "machine a\n"),
        (".pypirc", "[pypi]\nrepository = https://r\n"),
        ("requirements.txt", "six==1.16.0\nlib @ git+https://${TOKEN}@git.example.com/lib.git\n"),
        (".docker/config.json", '{"credsStore": "pass"}'),
        ("config.json", '{"auth": "x"}'),
        (".kube/config", "users: []"),
        (".aws/config", "[default]\nregion = eu-west-1"),
    ],
)
def test_a_file_without_a_credential_in_it_is_left_alone(path: str, text: str) -> None:
    assert found(text, path) == []


def test_only_the_beginning_of_texts_is_looked_at() -> None:
    secret = SECRETS["hugging face"][1]()
    assert found(b"\n" * (LONGEST - 100) + secret.encode()) == [(LONGEST - 99, "a Hugging Face token")]
    assert found(b"\n" * LONGEST + secret.encode()) == []
    assert found(b"\0" + secret.encode()) == []


def test_each_kind_is_told_once_of_a_file() -> None:
    many = "\n".join("hf_" + drawn(LETTERS, 34, seed) for seed in range(50))
    assert found(many) == [(1, "a Hugging Face token")]
    placeholder = "hf_" + "x" * 34
    assert found(f"{placeholder}\n{many}") == [(2, "a Hugging Face token")]


@pytest.mark.parametrize("anchor", sorted({token.anchor for token in TOKENS} | {b"-----BEGIN PRIVATE KEY-----", b"https://a:"}))
def test_a_file_full_of_beginnings_ends(anchor: bytes) -> None:
    for filling in (b"", b"a", b"1-", b"_", b"\n"):
        assert len(list(scan("requirements.txt", (anchor + filling) * (30_000 // len(anchor))))) <= 2


@given(st.binary(max_size=300), st.text(max_size=40))
def test_no_bytes_and_no_name_make_it_fail(data: bytes, path: str) -> None:
    for each in scan(path, data):
        assert each.path == path
        assert 0 <= each.line <= data.count(b"\n") + 1


@given(
    st.sampled_from(sorted(SECRETS)),
    st.binary(max_size=60),
    st.sampled_from([".env", "a.py", "requirements.txt", "kaggle.json"]),
)
def test_nothing_of_a_secret_is_kept_or_printed(kind: str, around: bytes, path: str) -> None:
    secret = SECRETS[kind][1]()
    findings = list(scan(path, around.replace(b"\0", b"") + b" " + secret.encode() + b"\n"))
    error = refusal([*findings, Finding(path, 1, "x")])
    told = f"{findings} {error.message} {error.hint}"
    longest = max(re.findall(r"[A-Za-z0-9+/]+", secret), key=len)
    assert longest not in told
    assert secret not in told


def test_a_refusal_names_places_and_the_way_out() -> None:
    one = refusal([Finding("a.py", 12, "a GitHub token")])
    assert one.message == "a.py:12 holds a GitHub token: whoever can pull the image could read it"
    assert one.hint == (
        "take it out and revoke it, for git keeps its history; "
        "if it is none, write `code: {allowSecrets: [a.py]}` in project.yaml"
    )
    odd = refusal([Finding("a, b: {c}.py", 1, "a GitHub token")])
    assert odd.hint
    assert 'allowSecrets: ["a, b: {c}.py"]' in odd.hint
    many = refusal([Finding(f"{n}.pem", 0, "a private key") for n in range(7)])
    assert "4.pem holds a private key, and 2 more places hold secrets: whoever" in many.message


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("tests/keys/*.pem", "tests/keys/a.pem", True),
        ("tests/keys/*.pem", "tests/keys/b/a.pem", False),
        ("tests/keys/*.pem", "tests/keys/a.key", False),
        ("*.pem", "a.pem", True),
        ("*.pem", "tests/a.pem", False),
        ("**/*.pem", "a.pem", True),
        ("**/*.pem", "tests/keys/a.pem", True),
        ("tests/**", "tests/keys/a.pem", True),
        ("tests/**", "tests2/a.pem", False),
        ("a/**/b/**/c", "a/x/b/y/b/z/c", True),
        ("a/**/b/c", "a/b/x/b", False),
        (".env", ".env", True),
        ("", "a", False),
        ("**", "anything/at/all", True),
    ],
)
def test_a_pattern_allows_paths(pattern: str, path: str, matches: bool) -> None:
    assert path_matches(pattern, path) is matches
    assert (not_allowed([Finding(path, 1, "x")], ["never", pattern]) == []) is matches


@given(
    st.lists(st.sampled_from(["a", "b", "*", "a*", "**"]), max_size=6), st.lists(st.sampled_from(["a", "b", "ab"]), max_size=6)
)
def test_two_stars_stand_for_any_directories(pattern: list[str], parts: list[str]) -> None:
    def slowly(pattern: list[str], parts: list[str]) -> bool:
        if not pattern:
            return not parts
        if pattern[0] == "**":
            return any(slowly(pattern[1:], parts[at:]) for at in range(len(parts) + 1))
        return bool(parts) and path_matches(pattern[0], parts[0]) and slowly(pattern[1:], parts[1:])

    if pattern and parts:
        assert path_matches("/".join(pattern), "/".join(parts)) is slowly(pattern, parts)


def test_a_file_is_looked_at_once_however_often_its_code_is() -> None:
    scanned = Scanned()
    code = MemoryCode({"a.py": b"TOKEN = 1\n", "b.py": SECRETS["github ghp_"][1]().encode()})
    first = list(secrets_in(code.entries(code.tree), code, scanned))
    assert [each.path for each in first] == ["b.py"]
    changed = MemoryCode({**code.files, "a.py": b"\n" + SECRETS["github ghp_"][1]().encode(), "moved.py": code.files["b.py"]})
    again = list(secrets_in(changed.entries(changed.tree), changed, scanned))
    assert [(each.path, each.line) for each in again] == [("a.py", 2), ("b.py", 1), ("moved.py", 1)]
    assert changed.reads == [blob_of(changed.files[path]) for path in ("a.py", "moved.py")]


def test_what_was_found_is_forgotten_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.images.secrets.code.REMEMBERED", 2)
    scanned = Scanned()
    code = MemoryCode({f"{number}.py": b"%d" % number for number in range(5)})
    for _ in range(2):
        assert list(secrets_in(code.entries(code.tree), code, scanned)) == []
    assert len(scanned._found) <= 2
