"""Which lines of requirements are refused where only wheels can be installed, and where indexes are granted."""

from __future__ import annotations

import pytest

from controller.images.indexes import Indexes, granted_indexes
from controller.images.requirement_rules import checked, require_all_hashes
from controller.images.requirements import MAIN, PLAIN, collect
from controller.model.configuration import PackageIndex
from controller.model.errors import Stalled

pytestmark = pytest.mark.pure

COMPANY = PackageIndex("company", "https://packages.example.com/team/simple")
MIRROR = PackageIndex("mirror", "https://mirror.example.com/simple/", is_default=True)
INDEXES = Indexes((COMPANY, MIRROR))
HASH = "--hash=sha256:" + "0" * 64


def left_of(text: str, *, only_wheels: bool = True, indexes: Indexes | None = None, **files: str) -> str:
    found = collect(text, {f"{name}.txt": content for name, content in files.items()}.get)
    return checked(found, only_wheels=only_wheels, indexes=indexes).files[MAIN]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("./lib", "wants a package built"),
        ("-e .", "wants a package built"),
        ("x @ https://example.com/x-1.tar.gz", "wants a package built"),
        ("git+https://example.com/x.git@v1", "wants a package built"),
        ("x @ git+https://example.com/x.whl", "wants a package built"),
        ("--no-binary :all:", "wants a package built"),
        ("--no-binary=x", "wants a package built"),
        ("--only-binary=:none:", "wants a package built"),
        ("-r https://example.com/all.txt", "git does not hold"),
        ("--constraint https://example.com/limits.txt", "git does not hold"),
        ("--index-url https://${UV_INDEX_COMPANY_PASSWORD}.example.com/simple", "variable"),
        ("x @ https://example.com/${PIP_TOKEN}/x-1-py3-none-any.whl", "variable"),
        ("--find-links https://example.com/${HTTPS_PROXY}", "variable"),
    ],
)
def test_refused_for_a_container(line: str, words: str) -> None:
    with pytest.raises(Stalled, match=words) as caught:
        left_of(f"six\n\n{line}\n")
    assert caught.value.message.startswith(f"{MAIN}:3: `{line}`")
    assert caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "six==1.16.0 ; python_version < '3.12'",
        "./wheels/x-1-py3-none-any.whl",
        "x @ https://example.com/x-1-py3-none-any.whl?download=1#sha256=00",
        "--extra-index-url https://example.com/simple",
        "--only-binary :all:",
        "--find-links ./wheels",
        "--pre",
    ],
)
def test_allowed_for_a_container(line: str) -> None:
    assert left_of(f"{line}\n") == f"{line}\n"


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://elsewhere.example.com/simple",
        "-i https://packages.example.com/simple",
        "--extra-index-url=https://packages.example.com/team/simple/other",
        "--extra-index-url https://packages.example.com:8443/team/simple",
        "--extra-index-url http://packages.example.com/team/simple",
        "--extra-index-url https://packages.example.com/team/simple/../../other/simple",
        "-f https://packages.example.com/team/simple/%2e%2E/x",
        "--find-links https://packages.example.com/files",
        "x @ https://packages.example.com/other/x-1-py3-none-any.whl",
        "x @ https://packages.example.com/team/simple-other/x-1-py3-none-any.whl",
        "x @ https://packages.example.com/team/simple/../x-1-py3-none-any.whl",
        "x @ https://packages.example.com/team/simple/..%2Fx-1-py3-none-any.whl",
        "https://packages.example.com@evil.example.com/team/simple/x-1-py3-none-any.whl",
        "https://evil.example.com/x-1-py3-none-any.whl",
    ],
)
def test_nothing_but_granted_indexes_is_fetched_from(line: str) -> None:
    with pytest.raises(Stalled, match="may not use") as caught:
        left_of(f"-r more.txt\n{line}\n", indexes=INDEXES, more="six\n")
    assert caught.value.message.startswith(f"{MAIN}:2: ")
    assert "grants.indexes" in (caught.value.hint or "")


def test_no_login_of_a_line_is_repeated() -> None:
    login = "https://someone:p@ss-word@packages.example.org/x-1.tar.gz"
    with pytest.raises(Stalled) as refused:
        checked(collect(f"x @ {login}", {}.get), only_wheels=True, indexes=None)
    assert "x @ https://***@packages.example.org/x-1.tar.gz" in refused.value.message


def test_lines_that_name_a_granted_index_are_left_to_the_configuration() -> None:
    named = "-i https://user:word@PACKAGES.example.com:443/team/simple/\n--extra-index-url https://mirror.example.com/simple\n"
    direct = "x @ https://packages.example.com/team/simple/x/x-1-py3-none-any.whl\n"
    assert left_of(f"{named}{direct}six\n", indexes=INDEXES) == f"{direct}six\n"


def test_what_is_built_here_may_come_from_anywhere() -> None:
    line = "x @ git+https://${HOST}/x.git\n"
    assert left_of(line, only_wheels=False) == line


@pytest.mark.parametrize(
    ("granted", "names"),
    [
        ((), ["mirror"]),
        (("company",), ["company", "mirror"]),
        (("*",), ["company", "other", "mirror"]),
        (("gone",), ["mirror"]),
    ],
)
def test_default_index_is_for_all_and_asked_last(granted: tuple[str, ...], names: list[str]) -> None:
    other = PackageIndex("other", "https://other.example.com/simple")
    found = granted_indexes({"mirror": MIRROR, "company": COMPANY, "other": other}, granted)
    assert [index.name for index in found.indexes] == names


def test_what_a_lock_took_from_an_index_comes_from_there_alone() -> None:
    assert [index.name for index in INDEXES.alone(f"{COMPANY.url}/").indexes] == ["company"]
    assert INDEXES.alone(COMPANY.url).indexes[0].is_default
    assert [index.name for index in INDEXES.alone("https://elsewhere.example.com/simple").indexes] == ["mirror"]


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        (f"six==1 {HASH}\nclick==8\n", "requirements.txt:2: `click==8`"),
        (f"# all\nclick==8\nsix==1 \\\n  {HASH}\n", "requirements.txt:2: `click==8`"),
        ("--require-hashes\nsix==1\n", "requirements.txt:2: `six==1`"),
        (f"six==1 {HASH}\n./lib\n", "requirements.txt:2: `./lib`"),
        (f"six==1 {HASH}\n-r more.txt\n", "more.txt:1: `click`"),
        (f"six==1 {HASH}\na\nb\n", "requirements.txt:2: `a` has no --hash, although other lines have one, and 1 more lines"),
    ],
)
def test_line_without_a_hash_is_named(text: str, lacking: str) -> None:
    with pytest.raises(Stalled) as caught:
        require_all_hashes(collect(text, {"more.txt": "click\n"}.get, PLAIN))
    assert caught.value.message.startswith(lacking)
    assert "--generate-hashes" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text", ["six\nclick\n", f"six==1 {HASH}\nClick_A==8 {HASH}\n", f"six==1\n-c more.txt\n--pre\nsix==1 {HASH}\n"]
)
def test_hashes_that_are_complete_or_absent(text: str) -> None:
    require_all_hashes(collect(text, {"more.txt": "limited\n"}.get))


def test_name_that_is_only_limited_is_not_asked_for() -> None:
    found = collect("-c more.txt\nsix\n", {"more.txt": "gunicorn==23.0.0\n"}.get)
    assert found.names == {"six"}
