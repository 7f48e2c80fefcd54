"""Apache's `$apr1$` password hash, as `htpasswd -m` writes it (APR's apr_md5.c: the scheme of `$1$` with another magic)."""

from __future__ import annotations

import hashlib

_MAGIC = b"$apr1$"
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))


def apr1(password: bytes, salt: bytes) -> str:
    """The whole hash, `$apr1$<salt>$<digest>`; about a millisecond of work."""
    salt = salt[:8]
    final = _stretched(password, salt, _first(password, salt))
    groups = [(final[a] << 16 | final[b] << 8 | final[c], 4) for a, b, c in _ORDER]
    text = "".join(_encoded(value, length) for value, length in [*groups, (final[11], 2)])
    return f"{_MAGIC.decode()}{salt.decode('latin-1')}${text}"


def _first(password: bytes, salt: bytes) -> bytes:
    inner = _md5(password + salt + password)
    mixed = password + _MAGIC + salt + (inner * (len(password) // 16 + 1))[: len(password)]
    length = len(password)
    while length:
        mixed += b"\0" if length & 1 else password[:1]
        length >>= 1
    return _md5(mixed)


def _stretched(password: bytes, salt: bytes, digest: bytes) -> bytes:
    for i in range(1000):
        mixed = password if i & 1 else digest
        mixed += salt if i % 3 else b""
        mixed += password if i % 7 else b""
        digest = _md5(mixed + (digest if i & 1 else password))
    return digest


def _encoded(value: int, length: int) -> str:
    return "".join(_ALPHABET[value >> 6 * i & 63] for i in range(length))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
