"""Hostile code and declared files, built and unpacked by real runtimes: nothing outside our two directories ever changes.

By default two thousand cases, of which containerd unpacks four hundred: the same ones at each run.
`--hypothesis-profile=thorough` makes tenfold, and new ones.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from containerd_runtime import Containerd, running_containerd
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from image_examples import blob_of, silent
from raw_git import RawFile, RawRepository
from unpacking import Found, LayerBytes, chain_of, is_opaque, plain, tree_on, write_archive

from controller.images.assembly import own_layers
from controller.images.build import Build
from controller.images.files import FileCache, cached
from controller.images.installer import Installer
from controller.images.layerstore import LayerStore
from controller.images.layout import Layout
from controller.model.declared import FileContent
from controller.model.errors import Stalled
from controller.model.images import ImageSpec
from controller.model.source import CodeTree, TreeEntry
from tests.docker_engine.engine import Engine

pytestmark = pytest.mark.faults

CASES = settings().max_examples * 20
UNPACKED = CASES // 5
BATCH = 100
"""Images that are unpacked at a time."""

HARMLESS = ["a", "b", "A", "lib", "etc", "main.py", "-rf", " ", "ä", "日本", "a.wh.b", "..a", "con", "tmp"]
HARMLESS += [f"m{n}" for n in range(30)]
HARMFUL = [
    "..",
    ".",
    "",
    ".wh.a",
    ".wh.passwd",
    ".wh..wh..opq",
    "a/../../../etc/evil",
    "/etc/passwd",
    "a/b",
    "x" * 255,
    "x" * 256,
    "ä" * 128,
    "new\nline",
    "tab\t",
    "\x1b[2J",
    ".git",
    "__pycache__",
    "../.wh.lib",
]
NAMES = st.sampled_from([*HARMLESS * 8, *HARMFUL])
RAW_NAMES = st.one_of(
    st.sampled_from([*(name.encode() for name in [*HARMLESS * 8, *HARMFUL]), b"\xff", b"\xc3", b"a\x80", b"\x01"]),
    st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=5).map(str.encode),
)
MODES = st.sampled_from(
    ["100644"] * 60 + ["100755"] * 30 + ["100664", "120000", "160000", "104755", "102755", "100777", "060000"]
)
FILES = st.tuples(st.lists(RAW_NAMES, min_size=1, max_size=3).map(tuple), MODES, st.binary(max_size=20))
DECLARED = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=20), max_size=2)


@dataclass(frozen=True)
class Case:
    """`by_git` reads the code from git objects; else the images' own checks are all that there is."""

    files: tuple[RawFile, ...]
    declared: dict[str, bytes]
    by_git: bool
    shim: bool
    owner: tuple[int, int]


CASE = st.builds(
    Case,
    st.lists(FILES, max_size=5).map(tuple),
    DECLARED,
    st.booleans(),
    st.booleans(),
    st.sampled_from([(0, 0), (1000, 100)]),
)


class ListedCode:
    """A `CodeReader` that checks nothing: any paths and modes, also twice."""

    def __init__(self, files: Sequence[RawFile]) -> None:
        self._files = files

    def entries(self, code: CodeTree) -> Sequence[TreeEntry]:
        return [TreeEntry(path_of(names), mode, blob_of(data), len(data)) for names, mode, data in self._files]

    def read(self, blob: str) -> Iterator[bytes]:
        yield next(data for _, _, data in self._files if blob_of(data) == blob)


def path_of(names: Sequence[bytes]) -> str:
    return b"/".join(names).decode("utf-8", "surrogateescape")


def listed(files: Sequence[RawFile]) -> CodeTree:
    return CodeTree("listed", "", tuple((path_of(names), mode, blob_of(data)) for names, mode, data in files))


class Workshop:
    """Makes the layers of cases with all that a real build has, but for a registry."""

    def __init__(self, directory: Path) -> None:
        self.repository = RawRepository(directory / "raw.git")
        self.cache = directory / "cache"
        self.store = LayerStore(Layout(directory / "layout", synced=False), self.cache)
        self.files = FileCache(self.cache)
        self.installer = Installer()

    def layers(self, case: Case) -> list[LayerBytes]:
        """The layers of a case. Raises `Stalled` where it is refused."""
        code = self.repository.code if case.by_git else ListedCode(case.files)
        tree = self.repository.tree(case.files) if case.by_git else listed(case.files)
        declared = {path: self.declared(data) for path, data in case.declared.items()}
        spec = ImageSpec("example.com/fuzz", "any", "linux/amd64", tree, "true", 8000, files=declared, shim=case.shim)
        build = Build(spec, code, self.store, silent, case.owner)
        layers = own_layers(build, self.files, self.installer, lambda: pytest.fail("there is nothing to install"))
        return [LayerBytes(b"".join(build.blocks(layer)), layer.diff_id, layer.compressed) for layer in layers]

    def declared(self, data: bytes) -> FileContent:
        digest = hashlib.sha256(data).hexdigest()
        path = cached(self.cache, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return FileContent(url="https://files.example.com/any", sha256=digest)


def base_layer() -> LayerBytes:
    """What layers have wrecked: links in the place of directories, odd modes, and names that code may have too."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, mode, link in (("etc", 0o755, ""), ("lib", 0, "usr/lib"), ("tmp", 0o1777, ""), ("valohai", 0o711, "")):
            info = tarfile.TarInfo(path)
            info.type, info.mode, info.linkname = tarfile.SYMTYPE if link else tarfile.DIRTYPE, mode, link
            info.uid = info.gid = 7
            archive.addfile(info)
        for path in ("etc/passwd", "usr/lib/libc", "a", "valohai/data"):
            info = tarfile.TarInfo(path)
            info.size, info.mode = 4, 0o640
            archive.addfile(info, BytesIO(b"base"))
    return plain(out.getvalue())


def expected(case: Case) -> dict[str, Found]:
    """The files that the case's layers may hold, and must, by the rules that the documentation gives."""
    declared = {"/".join(part for part in path.split("/") if part != "."): data for path, data in case.declared.items()}
    assert len(declared) == len(case.declared), "of two files at one path neither may win"
    found = {f"valohai/code/{path}": (stat.S_IFREG | 0o644, case.owner, data) for path, data in declared.items()}
    for names, mode, data in case.files:
        path = path_of(names)
        if "__pycache__" not in path.split("/") and path not in declared:
            place = f"valohai/code/{path}"
            assert place not in found, "of two files at one path neither may win"
            found[place] = (stat.S_IFREG | (0o755 if mode == "100755" else 0o644), case.owner, data)
    return found


def require_only_expected_members(case: Case, layers: Sequence[LayerBytes]) -> None:
    """What the archives say, before anybody unpacks them: no link, no device, no entry twice in one of them."""
    found: dict[str, Found] = {}
    for layer in layers:
        data = gzip.decompress(layer.data) if layer.compressed else layer.data
        with tarfile.open(fileobj=BytesIO(data)) as archive:
            members = archive.getmembers()
            assert len({member.name for member in members}) == len(members)
            assert all(member.isreg() or member.isdir() for member in members)
            for member in members:
                assert member.name.startswith(("valohai/code", "opt/pointsman"))
                file = archive.extractfile(member)
                if file is not None:
                    found[member.name] = (stat.S_IFREG | member.mode, (member.uid, member.gid), file.read())
    assert (found.pop("opt/pointsman/shim.py", None) is not None) == case.shim
    assert found == expected(case)


def require_only_expected(case: Case, layers: Sequence[Path], *, parents: bool) -> None:
    """`parents`: also our directories' own directory, which the base has, is as it was."""
    everything: dict[str, Found] = {}
    for layer in layers:
        tree = tree_on(layer)
        assert {path.split("/")[0] for path in tree} <= {"valohai", "opt"}
        assert not is_opaque(layer)
        assert not any(is_opaque(layer / path) for path in ("valohai", "opt") if path in tree)
        if "valohai" in tree and parents:
            assert tree["valohai"] == (stat.S_IFDIR | 0o711, (7, 7), None)
        everything |= tree
    files = {path: found for path, found in everything.items() if not stat.S_ISDIR(found[0])}
    if case.shim:
        mode, owner, _ = files.pop("opt/pointsman/shim.py")
        assert (mode, owner) == (stat.S_IFREG | 0o644, (0, 0))
    assert files == expected(case)
    own = {path: found for path, found in everything.items() if path.startswith("valohai/code")}
    assert all(found[1] == case.owner for found in own.values())
    directories = {path: found for path, found in everything.items() if stat.S_ISDIR(found[0])}
    needed = {"valohai", "valohai/code", *(["opt", "opt/pointsman"] if case.shim else [])}
    needed |= {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
    assert set(directories) == needed


Made = tuple[Case, list[LayerBytes]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    """The cases that are not refused, with their images' layers over the base."""
    workshop = Workshop(tmp_path_factory.mktemp("workshop"))
    found: list[Made] = []
    tried: list[Case] = []

    @given(CASE)
    @settings(
        max_examples=CASES,
        phases=[Phase.generate],
        database=None,
        derandomize=CASES == 2000,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )
    def make(case: Case) -> None:
        tried.append(case)
        try:
            layers = workshop.layers(case)
        except Stalled:
            return
        require_only_expected_members(case, layers)
        found.append((case, [base_layer(), *layers]))

    with closing(workshop.repository.code):
        make()
    assert len(tried) >= CASES
    assert UNPACKED <= len(found) < CASES, f"{len(found)} of {len(tried)} make an image: they are too tame, or too wild"
    return found[-UNPACKED:]


@pytest.fixture(scope="module")
def containerd() -> Iterator[Containerd]:
    with running_containerd() as running:
        yield running


def archives(made: list[Made], path: Path) -> Iterator[dict[str, Made]]:
    """Writes some of the images at a time to `path`; yields them by name."""
    for start in range(0, len(made), BATCH):
        named = {f"example.com/fuzz:{start + number}": image for number, image in enumerate(made[start : start + BATCH])}
        write_archive(path, {name: layers for name, (_, layers) in named.items()})
        yield named


def require(case: Case, places: Sequence[Path], *, parents: bool = True) -> None:
    try:
        require_only_expected(case, places[1:], parents=parents)
    except AssertionError as error:
        raise AssertionError(f"{case}\n{error}") from error


def test_nothing_else_changes_when_containerd_unpacks(made: list[Made], containerd: Containerd, tmp_path: Path) -> None:
    archive = tmp_path / "images.tar"
    for images in archives(made, archive):
        containerd.run("images", "import", str(archive))
        for case, layers in images.values():
            require(case, containerd.unpacked(chain_of(layers)))


def test_nothing_else_changes_when_docker_unpacks(made: list[Made], docker_engine: Engine, tmp_path: Path) -> None:
    """Docker 20.10 makes directories anew that a layer does not name, also our directories' own: their modes are its own."""
    archive = tmp_path / "images.tar"
    images = next(archives(made, archive))
    docker_engine.run("load", "--input", str(archive))
    for line in docker_engine.run("inspect", "--format", "{{json .RepoTags}} {{json .GraphDriver.Data}}", *images).splitlines():
        names, data = map(json.loads, line.split(" ", 1))
        places = [Path(data["UpperDir"]), *map(Path, data["LowerDir"].split(":"))]
        for name in names:
            require(images[name][0], places[::-1], parents=False)
