"""Which target a command works on."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from controller.cli.reach.choice import Kubernetes, choices, the_only
from controller.cli.reach.known import KnownTarget, known_targets
from controller.cli.reach.options import Where, where_options
from controller.model.errors import Stalled

pytestmark = pytest.mark.pure

FILE = Path("/home/ada/.config/pointsman/targets.yaml")
KNOWN = {"us-east": KnownTarget(context="admin@us"), "eu-west": KnownTarget(Path("/eu.yaml"), "eu")}
KIND, KIND_IN_A = Kubernetes("kind", None, "kind"), Kubernetes("kind", Path("a"), "kind")
US, EU = Kubernetes("us-east", None, "admin@us"), Kubernetes("eu-west", Path("/eu.yaml"), "eu")


@pytest.mark.parametrize(
    ("where", "embedded", "expected"),
    [
        (Where(), True, ()),
        (Where(), False, (EU, US)),
        (Where(state=Path("/state")), False, ()),
        (Where(target="us-east"), True, (US,)),
        (Where(target="embedded"), False, ()),
        (Where(target="embedded", state=Path("/state")), False, ()),
        (Where(context="kind"), True, (Kubernetes("kind", None, "kind"),)),
        (Where(kubeconfig=Path("a:b")), True, (Kubernetes("", Path("a:b"), None),)),
        (Where(context="other", target="eu-west"), True, (Kubernetes("eu-west", Path("/eu.yaml"), "other"),)),
        (Where(namespace="shop"), True, ()),
        (Where(context="kind", target="us-east", inherited=frozenset({"context"})), True, (US,)),
        (Where(kubeconfig=Path("a"), context="kind", inherited=frozenset({"kubeconfig"})), True, (KIND_IN_A,)),
        (Where(context="kind", target="us-east", inherited=frozenset({"target"})), True, (KIND,)),
        (Where(state=Path("/state"), context="kind", inherited=frozenset({"context"})), True, ()),
        (Where(state=Path("/state"), context="kind", inherited=frozenset({"state"})), True, (KIND,)),
        (Where(context="kind", target="embedded", inherited=frozenset({"context"})), True, ()),
    ],
)
def test_what_is_meant(where: Where, embedded: bool, expected: tuple[Kubernetes, ...]) -> None:
    assert choices(where, KNOWN, FILE, embedded=embedded) == expected


def test_an_unknown_name_says_what_is_known_or_where_to_write_it() -> None:
    with pytest.raises(Stalled, match="no target is called `us-eats`") as raised:
        choices(Where(target="us-eats"), KNOWN, FILE, embedded=True)
    assert raised.value.hint == "did you mean `us-east`?"
    with pytest.raises(Stalled) as raised:
        choices(Where(target="us-east"), {}, FILE, embedded=True)
    assert raised.value.hint == f"add a line to {FILE}: us-east: {{context: CONTEXT}}; or give --context"


def test_a_context_does_not_hide_that_the_target_is_unknown() -> None:
    with pytest.raises(Stalled, match="no target is called `us`"):
        choices(Where(context="kind", target="us"), KNOWN, FILE, embedded=True)


@pytest.mark.parametrize("typed", ["context", "target_name"])
def test_an_option_wins_over_a_variable(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_CONTEXT" if typed == "target_name" else "POINTSMAN_TARGET", "from-the-environment")
    seen: list[Where] = []

    @click.command()
    @where_options
    def look(where: Where) -> None:
        seen.append(where.as_typed())

    look.main([f"--{typed.removesuffix('_name')}", "typed"], standalone_mode=False)
    [found] = seen
    assert {found.context, found.target} == {"typed", None}


def test_the_embedded_target_is_no_kubernetes_cluster() -> None:
    with pytest.raises(click.UsageError, match="choose one"):
        choices(Where(target="embedded", context="kind"), {}, FILE, embedded=False)
    with pytest.raises(click.UsageError, match="choose one"):
        choices(Where(state=Path("/state"), context="kind"), {}, FILE, embedded=False)


def test_who_writes_names_one_target() -> None:
    assert the_only((US,)) == US
    with pytest.raises(Stalled, match="2 targets are known: eu-west, us-east") as raised:
        the_only((EU, US))
    assert raised.value.hint == "name one: --target eu-west"


def test_named_targets_are_read_from_the_persons_own_file(tmp_path: Path) -> None:
    file = tmp_path / "targets.yaml"
    assert known_targets(file) == {}
    file.write_text("us-east: {context: admin@us}\neu-west:\n  kubeconfig: eu.yaml\n  context: 1e3\n")
    assert known_targets(file) == {
        "us-east": KnownTarget(None, "admin@us"),
        "eu-west": KnownTarget(tmp_path / "eu.yaml", "1e3"),
    }
    file.write_text("")
    assert known_targets(file) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- us-east\n", "names of targets are wanted"),
        ("us-east: admin@us\n", "target `us-east` is no map"),
        ("us-east: {contxt: a}\n", "unknown key `contxt`"),
        ("us-east: {context: a\n", r"targets.yaml:\d+:\d+: "),
        ("us-east: {}\nus-east: {}\n", "written"),
    ],
)
def test_a_mistake_in_that_file_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "targets.yaml"
    file.write_text(text)
    with pytest.raises(Stalled, match=message):
        known_targets(file)
