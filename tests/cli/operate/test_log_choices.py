"""Which endpoint's output is meant by a few names."""

from __future__ import annotations

import pytest

from controller.cli.log_choices import LogChoice, choose
from controller.model.errors import Stalled

pytestmark = pytest.mark.pure

CHOICES = (
    LogChoice("eu", "production", "predict", "ns", "predict-v1-a"),
    LogChoice("eu", "v1", "predict", "ns", "predict-v1-a"),
    LogChoice("eu", "v2", "predict", "ns", "predict-v2-b"),
    LogChoice("eu", "v1", "greet", "ns", "greet-v1-c"),
    LogChoice("us", "v1", "predict", "ns", "predict-v1-d"),
)


@pytest.mark.parametrize(
    ("text", "workload"),
    [
        ("eu/production/predict", "predict-v1-a"),
        ("production/predict", "predict-v1-a"),
        ("production", "predict-v1-a"),
        ("eu/v1/predict", "predict-v1-a"),
        ("v2/predict", "predict-v2-b"),
        ("greet", "greet-v1-c"),
        ("us", "predict-v1-d"),
        ("predict-v2-b", "predict-v2-b"),
        ("/eu/v2/predict/", "predict-v2-b"),
    ],
)
def test_names_may_be_left_out_while_one_workload_fits(text: str, workload: str) -> None:
    assert choose(CHOICES, text).workload == workload


def test_an_ambiguous_name_lists_the_choices() -> None:
    with pytest.raises(Stalled) as caught:
        choose(CHOICES, "v1/predict")
    assert caught.value.hint == "choose: eu/v1/predict, us/v1/predict"


def test_without_a_name_all_are_listed_where_there_are_several() -> None:
    with pytest.raises(Stalled) as caught:
        choose(CHOICES, "")
    assert (caught.value.hint or "").startswith("choose: eu/production/predict, eu/v1/predict, ")
    assert choose(CHOICES[:2], "").workload == "predict-v1-a"


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(Stalled) as caught:
        choose(CHOICES, "gret")
    assert "`greet`" in (caught.value.hint or "")


def test_before_anything_ran_there_is_nothing_to_choose() -> None:
    with pytest.raises(Stalled) as caught:
        choose((), "predict")
    assert "pointsman status" in (caught.value.hint or "")
