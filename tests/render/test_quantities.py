"""What is printed as a quantity means the same when it is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.render import quantity

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "found"), [("500m", 0.5), ("2", 2.0), ("0", 0.0), ("512M", 512e6), ("2G", 2e9), ("1500k", 1.5e6)]
)
def test_an_amount(text: str, found: float) -> None:
    assert quantity.amount(text) == found


@given(st.integers(0, 10**9))
def test_thousandths_of_cores_come_back(thousandths: int) -> None:
    assert quantity.amount(quantity.cpu(thousandths / 1000)) == pytest.approx(thousandths / 1000)


@given(st.integers(0, 10**7))
def test_megabytes_come_back(amount: int) -> None:
    assert quantity.amount(quantity.megabytes(amount)) == pytest.approx(amount * 1e6)
