"""The code layer: git's tree at the commit, without the files that are declared to lie in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from controller.images.build import Build
from controller.images.layers import Contents, Layer, LayerKind, Member
from controller.images.lfs import is_pointer
from controller.images.paths import layer_path, normalised, require_disjoint
from controller.images.read_once import ReadOnce
from controller.images.secrets.code import secrets_in, without_secrets
from controller.images.secrets.scan import RULES
from controller.model.errors import Stalled
from controller.model.images import CODE_DIRECTORY
from controller.model.ports import CodeReader
from controller.model.source import TreeEntry

_REGULAR = {"100644": False, "100664": False, "100755": True}
_REFUSED = {"120000": "a symbolic link", "160000": "a submodule", "040000": "a directory"}


def code_layer(build: Build) -> Layer:
    """The layer of the code. A declared file wins over a file of the code at the same path.

    Raises `Stalled` for a secret that may not leave this machine; one in an image that stays is a warning.
    """
    spec, code = build.spec, ReadOnce(build.code, build.memory.files)
    declared = sorted(normalised(path) for path in spec.files)
    elsewhere = [layer_path(CODE_DIRECTORY, path) for path in declared]

    def make(_scratch: Path) -> Contents:
        entries = [e for e in build.entries if _belongs(e, declared)]
        build.sizes.require_code(entries)
        members = [_member(e, code) for e in entries]
        require_disjoint([*elsewhere, *(m.path for m in members)])
        warnings = tuple(_pointers(entries, code))
        findings = tuple(secrets_in(filter(_is_source, build.entries), code, build.memory.scanned))
        return Contents(CODE_DIRECTORY, members, compressed=True, warnings=warnings, findings=findings)

    tree = [spec.code.path, [list(entry) for entry in spec.code.entries]]
    layer = build.layer(LayerKind.CODE, [tree, elsewhere, RULES], make)
    if build.sizes.is_code_too_large(layer.content):
        build.sizes.require_code([e for e in build.entries if _belongs(e, declared)])
    return without_secrets(layer, spec.terms.allow_secrets, leaves=build.leaves)


def _belongs(entry: TreeEntry, declared: Sequence[str]) -> bool:
    return _is_source(entry) and entry.path not in declared


def _is_source(entry: TreeEntry) -> bool:
    return "__pycache__" not in entry.path.split("/")


def _member(entry: TreeEntry, code: CodeReader) -> Member:
    executable = _REGULAR.get(entry.mode)
    if executable is None:
        what = _REFUSED.get(entry.mode, f"no regular file (mode {entry.mode})")
        raise Stalled(f"{entry.path} is {what}, which cannot be in an image", hint="commit the file itself in its place")
    return Member(layer_path(CODE_DIRECTORY, entry.path), entry.size, lambda: code.read(entry.blob), executable, entry.blob)


def _pointers(entries: Sequence[TreeEntry], code: CodeReader) -> Iterator[str]:
    for entry in entries:
        if is_pointer(code, entry):
            yield f"{entry.path} is a git LFS pointer; the image holds the pointer, not the file"
