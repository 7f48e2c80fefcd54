"""What an address of a file begins with, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.file_address import FileAddress, is_granted

pytestmark = pytest.mark.pure

PREFIX = "https://models.example.com/public/"


@pytest.mark.parametrize(
    "address",
    [
        f"{PREFIX}m.bin",
        "HTTPS://Models.Example.COM/public/m.bin",
        "https://models.example.com:443/public/m.bin",
        "https://models.example.com/%70ublic/m.bin",
        "https://models.example.com/public/a%20b%2Fc.bin?X-Signature=../%2e%2e/#x",
        f"{PREFIX}..hidden/m..bin",
        f"{PREFIX}./m.bin",
        f"{PREFIX}%252e/m.bin",
    ],
)
def test_equal_addresses_are_granted_alike(address: str) -> None:
    assert is_granted(address, ["s3://other/", PREFIX])
    assert is_granted(address, ["HTTPS://models.example.com:443/%70ublic/"])
    assert is_granted(address, ["https://models.example.com/"])


@pytest.mark.parametrize(
    "address",
    [
        "https://models.example.com/private/m.bin",
        "https://models.example.com/Public/m.bin",
        "https://models.example.com/public",
        "https://models.example.com/public%2Fm.bin",
        "https://models.example.com:8443/public/m.bin",
        "https://models.example.com.evil.example/public/m.bin",
        "https://models.example.com@evil.example/public/m.bin",
        "https://models.example.com:443@evil.example/public/m.bin",
        "https://user:password@models.example.com/public/m.bin",
        "https://evil.example/https://models.example.com/public/m.bin",
        "https://evil.example\\@models.example.com/public/m.bin",
        "https://evil.example#@models.example.com/public/m.bin",
        "https://models.example.com\\public\\m.bin",
        "https:/models.example.com/public/m.bin",
        "https:///models.example.com/public/m.bin",
        "http://models.example.com/public/m.bin",
        "file://models.example.com/public/m.bin",
        f"{PREFIX}../private/m.bin",
        f"{PREFIX}%2e%2e/private/m.bin",
        f"{PREFIX}.%2E/private/m.bin",
        f"{PREFIX}%252e%252e/private/m.bin",
        f"{PREFIX}%2525252e%2525252e/private/m.bin",
        f"{PREFIX}%25252525252525252e%2e/private/m.bin",
        f"{PREFIX}a%2f..%2f..%2fprivate/m.bin",
        f"{PREFIX}a%5c..%5c..%5cprivate/m.bin",
        f"{PREFIX}..;/private/m.bin",
        f"{PREFIX}..",
        f"{PREFIX}a b",
        f"{PREFIX}a\tb",
        f" {PREFIX}m.bin",
        "https://models.ex\u00e4mple.com/public/m.bin",
        "https://127.1/public/m.bin",
        "",
    ],
)
def test_what_only_looks_alike_is_not(address: str) -> None:
    assert not is_granted(address, [PREFIX, "not an address"])


@pytest.mark.parametrize(
    ("address", "prefix", "granted"),
    [
        ("s3://models/a.bin", "s3://models/", True),
        ("s3://models-of-others/a.bin", "s3://models/", False),
        ("gs://models/a/b.bin", "gs://models/a/", True),
        ("abfs://container@account.dfs.core.windows.net/a.bin", "abfs://account.dfs.core.windows.net/", False),
        ("abfs://container@account.dfs.core.windows.net/a.bin", "abfs://container@account.dfs.core.windows.net/", True),
    ],
)
def test_buckets_are_compared_whole(address: str, prefix: str, granted: bool) -> None:
    assert is_granted(address, [prefix]) is granted


@given(st.text(max_size=30), st.sampled_from([PREFIX, "s3://models/", ""]))
def test_no_text_makes_it_fail_or_leaves_its_prefix(text: str, prefix: str) -> None:
    found = FileAddress.parse(f"{prefix}{text}")
    if found is not None and prefix and "@" not in found.authority:
        assert is_granted(f"{prefix}{text}", [prefix])
        assert ".." not in found.path.split("/")
