"""Git's account of an alias joined with the target's."""

from __future__ import annotations

from typing import Any

import pytest

from controller.cli.alias_past import chapters
from controller.source.history import AliasChange

pytestmark = pytest.mark.pure


def change(at: float, version: str | None) -> AliasChange:
    return AliasChange(f"{int(at):040d}", at, "Ada", f"production to {version}", version)


def event(at: float, kind: str, subject: str, message: str) -> dict[str, Any]:
    return {"at": at, "revision": "main@sha1:0", "event": kind, "subject": subject, "message": message}


CHANGES = (change(300, "v1"), change(200, "v2"), change(100, "v1"))


def test_each_change_owns_what_happened_until_the_next_one() -> None:
    events = [
        event(310, "confirmed", "production", "v1"),
        event(230, "given-up", "production", "after 20 s: no model here"),
        event(102, "confirmed", "production", "v1"),
        event(101, "confirmed", "production", "v1"),
    ]
    newest, middle, oldest = chapters("eu", "production", CHANGES, events)
    assert (newest.confirmed_at, oldest.confirmed_at, middle.confirmed_at) == (310, 101, None)
    assert [h.text for h in middle.happenings] == ["given up: after 20 s: no model here"]
    assert [h.kind for h in oldest.happenings] == ["confirmed"], "two endpoints of one alias are one happening"


def test_golden_requests_belong_to_the_change_that_led_to_their_version() -> None:
    events = [event(210, "golden-failed", "v2/predict", "seven"), event(211, "golden-failed", "v9/predict", "other")]
    _, middle, _ = chapters("eu", "production", CHANGES, events)
    assert [h.message for h in middle.happenings] == ["seven"]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        event(250, "update", "HTTPRoute/x/y", "moved"),
        event(250, "confirmed", "staging", "v2"),
        {"event": "confirmed", "subject": "production", "message": "v2", "at": "yesterday"},
    ],
)
def test_what_is_about_something_else_is_left_out(odd: dict[str, Any]) -> None:
    assert all(not chapter.happenings for chapter in chapters("eu", "production", CHANGES, [odd]))


def test_without_git_the_confirmations_are_the_past() -> None:
    again = {"revision": "worktree@sha1:1"}
    events = [event(at, "confirmed", "latest", "work") | (again if at >= 20 else {}) for at in (20.1, 20, 10.1, 10)]
    assert [(c.at, c.version, c.commit) for c in chapters("local", "latest", (), events)] == [
        (20, "work", None),
        (10, "work", None),
    ]


def test_a_removed_alias_has_no_version() -> None:
    [chapter] = chapters("eu", "production", (change(100, None),), [])
    assert chapter.version is None
