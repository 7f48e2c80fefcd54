"""The queue of units: what it hands out, and what it keeps."""

from __future__ import annotations

import random

import pytest

from controller.engine.queue import WorkQueue
from controller.engine.retry import pause_after
from controller.model.backoff import backoff
from controller.model.errors import Conflict

pytestmark = pytest.mark.contract


def test_a_key_that_is_asked_for_twice_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("one", 60.0)
    queue.add("one")
    queue.add("two")
    assert [queue.take(), queue.take()] == ["one", "two"]
    queue.add("one")
    queue.add("three")
    assert queue.take() == "three", "one is being worked on"
    queue.done("one")
    assert queue.take() == "one"


def test_what_is_looked_at_often_leaves_nothing_behind() -> None:
    queue: WorkQueue[int] = WorkQueue()
    for number in range(20_000):
        queue.add(number % 2, 600.0)
        queue.add(number % 2)
        assert queue.take() == number % 2
        queue.done(number % 2)
    assert len(queue._heap) < 2000
    queue.add(0)
    assert queue.take() == 0


def test_a_lost_race_is_run_again_at_once_but_not_for_ever() -> None:
    pauses = [pause_after(Conflict("somebody was faster"), attempt, random.Random(1)) for attempt in range(1, 12)]
    assert pauses[0] < 0.1
    assert pauses[-1] > 10 * pauses[0]


def test_pauses_double_up_to_the_most_and_no_two_of_many_are_equal() -> None:
    pauses = [[backoff(attempt, 0.5, 8.0, random.Random(seed)) for attempt in (1, 2, 3, 9, 10_000)] for seed in range(20)]
    for pause in pauses:
        assert all(0.75 * usual <= found <= 1.25 * usual for found, usual in zip(pause, (0.5, 1.0, 2.0, 8.0, 8.0), strict=True))
    assert len({pause[0] for pause in pauses}) == len(pauses)
