"""Hostile lines that are let through, read by the real installer: it goes nowhere else. A new uv may read them otherwise."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from package_index import PackageIndex, running_index, wheel

from controller.images.host import host_base, python_version
from controller.images.indexes import Indexes
from controller.images.installer import Installer, Python, Wanted
from controller.images.requirement_rules import checked
from controller.images.requirements import MAIN, collect
from controller.model.configuration import PackageIndex as Configured
from controller.model.errors import PointsmanError, Stalled

pytestmark = pytest.mark.faults

CASES = 60
HASH = "--hash=sha256:" + "0" * 64
WHEEL = "own-1.0-py3-none-any.whl"
BEGINNINGS = (
    *(
        "",
        "own @ ",
        "own@",
        "own[a] @ ",
        "./a",
        "./a[",
        "./a;",
        "a[x]",
        "own @ ./a",
        "own @ a",
        "own @ {granted}/",
        "{granted}/",
    ),
    *("-f ", "-f", "-f=", "--find-links ", "-i ", "--index-url ", "--extra-index-url=", "-r ", "-c ", "-e ", "--editable="),
    *(
        f"x==1.0 {HASH} ",
        f"x==1.0 {HASH} own @ ",
        "--no-index ",
        "--pre ",
        "--require-hashes ",
        "--no-binary x ",
        "--trusted-host a ",
    ),
)
BETWEEN = (
    "",
    "",
    "",
    " ",
    " /",
    "/",
    "\t",
    '"',
    "'",
    "\\\n",
    "\n",
    "\r",
    "\x0c",
    "\x85",
    "\u2028",
    "\xa0",
    "\ufeff",
    ";",
    " ;",
    "#",
    " #",
    "@",
    "=",
)
TARGETS = (
    *(
        f"http://{{foreign}}/files/{WHEEL}",
        f"http:{{foreign}}/files/{WHEEL}",
        f"http:/{{foreign}}/files/{WHEEL}",
        f"@{{foreign}}/files/{WHEEL}",
    ),
    *(
        "http://{foreign}/simple",
        "http:{foreign}/simple",
        "HTTP://{foreign}/simple",
        "http:\\\\{foreign}/simple",
        "\\@{foreign}/simple",
    ),
    *(
        f"../{WHEEL}",
        f"../../{WHEEL}",
        f"{{outside}}/{WHEEL}",
        f"/..{{outside}}/{WHEEL}",
        f"%2e%2e/{WHEEL}",
        f"file://{{outside}}/{WHEEL}",
    ),
    *(
        "..",
        "{outside}",
        "file://{outside}",
        "FILE://{outside}",
        "../outside.txt",
        "{outside}/outside.txt",
        "${HOME}/outside.txt",
    ),
    *(f"own @ ../../{WHEEL}", f"own @ http://{{foreign}}/files/{WHEEL}", "-f {outside}", "-i http://{foreign}/simple"),
)
AFTER = ("", "", "", "\nown", "\nown\nx", " x", "[a]", " ; python_version > '3'", f" {HASH}", '"', "'", "#a", "?a")


@pytest.fixture
def foreign() -> Iterator[PackageIndex]:
    with running_index(wheel("own", "1.0", text="foreign")) as index:
        yield index


@pytest.fixture
def granted() -> Iterator[PackageIndex]:
    with running_index(wheel("x", "1.0")) as index:
        yield index


@pytest.mark.parametrize("seed", range(2))
def test_what_is_let_through_leads_nowhere_else(
    seed: int, foreign: PackageIndex, granted: PackageIndex, tmp_path: Path
) -> None:
    indexes = Indexes((Configured("granted", granted.url, is_default=True),))
    (tmp_path / WHEEL).write_bytes(wheel("own", "1.0", text="outside")[1])
    (tmp_path / "outside.txt").write_text("told-from-outside==1\n")
    names = {"granted": granted.url, "foreign": f"localhost:{foreign.server_port}", "outside": str(tmp_path)}
    installer = Installer(environment={"PATH": os.environ["PATH"], "UV_HTTP_RETRIES": "0"}, cache=tmp_path / "uv", indexes={})
    for number, text in enumerate(let_through(random.Random(seed), names, indexes)):
        tree = tmp_path / str(number) / "tree"
        tree.mkdir(parents=True)
        (tree / MAIN).write_text(text)
        told = ""
        try:
            python = Python(python_version(), host_base())
            installer.install(Wanted([tree / MAIN], tree, indexes=indexes), tree.parent / "target", python, lambda: None)
        except PointsmanError as error:
            told = str(error)
        assert foreign.asked == [], repr(text)
        assert "told-from-outside" not in told, repr(text)
        assert not (tree.parent / "target" / "own.py").exists(), repr(text)


def let_through(chance: random.Random, names: dict[str, str], indexes: Indexes) -> Iterator[str]:
    """Texts that are not refused."""
    found = 0
    while found < CASES:
        text = "".join(map(chance.choice, (BEGINNINGS, BETWEEN, TARGETS, AFTER)))
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", value)
        try:
            read = checked(collect(text, {"a": "x\n"}.get), only_wheels=True, indexes=indexes).files[MAIN]
        except Stalled:
            continue
        found += 1
        yield read
