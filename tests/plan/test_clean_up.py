"""Which images may go: whatever is named by anything stays, and nothing goes before its time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.clean_up import Judgement, Needed, Outlook, Seen, Unneeded
from controller.plan.clean_up import candidates, judge, window
from controller.plan.clean_up_report import to_json, to_markdown, to_text

pytestmark = pytest.mark.pure

KEEP = 30 * 86400.0
NOW = 1_800_000_000.0
LONG_AGO = NOW - KEEP - 1.0


def tag(letter: str) -> str:
    return f"v-{letter * 40}"


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


def judged(tags: Mapping[str, str], needed: Needed | None = None, **since: float) -> Judgement:
    """Each tag leads to the digest of a letter; `since` says by letter since when a tag of ours is remembered."""
    found = {name: frozenset((digest(letter),)) for name, letter in tags.items()}
    seen = {tag(letter): Seen(at) for letter, at in since.items()}
    return judge(found, needed or Needed(), seen, NOW, KEEP)


def gone(found: Judgement) -> list[str]:
    return [name for item in found.goes for name in item.tags]


def test_what_was_unneeded_for_the_whole_window_goes() -> None:
    found = judged({tag("a"): "a", tag("b"): "b"}, a=LONG_AGO, b=NOW - KEEP + 60)
    assert gone(found) == [tag("a")]
    assert found.goes[0].why == "no commit of the last 30d, record or workload names it; unneeded since 2026-12-16 07:59 UTC"
    assert [item.why for item in found.waits] == ["unneeded since 2026-12-16 08:01 UTC, may go after 2027-01-15 08:01 UTC"]


def test_what_was_never_seen_before_waits_from_now_on() -> None:
    found = judged({tag("a"): "a"})
    assert not found.goes
    assert found.seen == {tag("a"): Seen(NOW)}


@pytest.mark.parametrize(
    "needed",
    [
        Needed(tags={tag("a"): "1/greet"}),
        Needed(digests=frozenset((digest("a"),))),
    ],
    ids=["declared", "named by a record or a workload"],
)
def test_what_is_needed_stays_and_its_time_begins_anew(needed: Needed) -> None:
    found = judged({tag("a"): "a"}, needed, a=LONG_AGO)
    assert (found.goes, found.waits, found.kept, found.seen) == ((), (), 1, {})


def test_what_a_commit_of_the_window_declared_waits_and_its_name_is_remembered() -> None:
    found = judged({tag("a"): "a"}, Needed(past={tag("a"): "1/greet"}), a=LONG_AGO)
    assert [item.why for item in found.waits] == ["a commit of the last 30d declared it"]
    assert found.seen == {tag("a"): Seen(LONG_AGO, "1/greet")}


@pytest.mark.parametrize(
    ("other", "needed"),
    [
        ("latest", Needed()),
        (tag("b"), Needed(tags={tag("b"): "2/greet"})),
        (tag("b"), Needed(past={tag("b"): "2/greet"})),
        (tag("b"), Needed()),
    ],
    ids=["a tag of others", "declared", "declared lately", "not seen for long"],
)
def test_a_digest_with_another_tag_that_stays_is_not_deleted(other: str, needed: Needed) -> None:
    found = judged({tag("a"): "a", other: "a"}, needed, a=LONG_AGO)
    assert not found.goes


def test_a_digest_goes_once_with_all_its_tags() -> None:
    found = judged({tag("a"): "a", tag("b"): "a"}, a=LONG_AGO, b=LONG_AGO - 5)
    assert [item.tags for item in found.goes] == [(tag("a"), tag("b"))]
    assert found.goes[0].since == LONG_AGO, "the later of both"


def test_an_image_inside_an_index_of_others_stays() -> None:
    tags = {tag("a"): frozenset((digest("a"),)), "release": frozenset((digest("1"), digest("a")))}
    found = judge(tags, Needed(), {tag("a"): Seen(LONG_AGO)}, NOW, KEEP)
    assert [item.why for item in found.waits] == ["the tag release leads to it too"]


@pytest.mark.parametrize("name", ["latest", "v-1", f"v-{'A' * 40}", f"v-{'a' * 41}", f"x{tag('a')}", f"{tag('a')}.sig"])
def test_tags_of_others_are_no_candidates(name: str) -> None:
    assert not candidates([name], Needed())


def test_a_clock_that_was_set_back_only_makes_wait() -> None:
    assert not judged({tag("a"): "a"}, a=NOW + 86400.0).goes


def test_the_oldest_goes_first() -> None:
    assert gone(judged({tag("a"): "a", tag("b"): "b"}, a=LONG_AGO, b=LONG_AGO - 5)) == [tag("b"), tag("a")]


@pytest.mark.parametrize(("seconds", "text"), [(KEEP, "30d"), (5400, "1h30m"), (90061, "1d1h1m1s"), (0.5, "0s")])
def test_a_window_is_written_as_in_the_configuration(seconds: float, text: str) -> None:
    assert window(seconds) == text


LETTERS = st.sampled_from("abcdef")
NAMES = st.one_of(LETTERS.map(tag), st.sampled_from(["latest", "release", "v-1"]))


@given(
    tags=st.dictionaries(NAMES, st.frozensets(LETTERS.map(digest), min_size=1, max_size=1), max_size=9),
    declared=st.frozensets(LETTERS.map(tag)),
    past=st.frozensets(LETTERS.map(tag)),
    digests=st.frozensets(LETTERS.map(digest)),
    since=st.dictionaries(LETTERS.map(tag), st.floats(NOW - 2 * KEEP, NOW + KEEP)),
)
def test_nothing_that_is_needed_or_too_young_ever_goes(
    tags: Mapping[str, frozenset[str]],
    declared: frozenset[str],
    past: frozenset[str],
    digests: frozenset[str],
    since: Mapping[str, float],
) -> None:
    needed = Needed(dict.fromkeys(declared, ""), dict.fromkeys(past, ""), digests)
    found = judge(tags, needed, {name: Seen(at) for name, at in since.items()}, NOW, KEEP)
    going = {item.digest for item in found.goes}
    assert not going & digests
    for name, led_to in tags.items():
        is_old = name in since and NOW - since[name] >= KEEP
        if not is_old or name in declared or name in past or not candidates([name], Needed()):
            assert not led_to & going
    listed = {name for item in (*found.goes, *found.waits) for name in item.tags}
    assert listed == found.seen.keys(), "everything unneeded is told, and nothing else is remembered"
    assert len(listed) + found.kept == len(tags)


ITEM = Unneeded(digest("a"), (tag("a"),), LONG_AGO, "nothing names it", "1/greet", 3 << 20)
OUTLOOK = Outlook("registry.example.com/p/o/n", KEEP, NOW, Judgement((ITEM,), kept=4), remarks=("only this\x1b directory",))


def test_the_report_names_every_image_and_why() -> None:
    text = to_text(OUTLOOK)
    assert text.startswith("clean-up of registry.example.com/p/o/n: 1 to delete, 0 unneeded wait, 4 tags")
    assert f"  - image {tag('a')} 1/greet 3.0 MiB  nothing names it\n" in text
    assert "\x1b" not in text
    markdown = to_markdown(OUTLOOK)
    assert markdown.startswith("### Clean-up of `registry.example.com/p/o/n`: 1 to delete")
    assert f"- image {tag('a')}" in markdown
    document = to_json(OUTLOOK)
    assert (document["keep"], document["kept"], document["blocked"]) == ("30d", 4, None)
    assert document["goes"][0] == {
        "digest": digest("a"),
        "tags": [tag("a")],
        "name": "1/greet",
        "size": 3 << 20,
        "since": LONG_AGO,
        "why": "nothing names it",
    }


def test_the_report_says_why_nothing_would_go() -> None:
    blocked = Outlook("registry.example.com/p/o/n", KEEP, NOW, blocked="target eu cannot be read")
    assert to_text(blocked) == (
        "clean-up of registry.example.com/p/o/n: nothing would be deleted\n  ! target eu cannot be read\n"
    )
