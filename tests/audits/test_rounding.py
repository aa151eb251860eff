"""What printed digits say."""

from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrepro.audits.rounding import Interval, bounds, cut_off, decimals, rounded, rounded_size, unit


@pytest.mark.parametrize(
    ("printed", "one"), [("5.96", "0.01"), ("2e-4", "0.0001"), ("2.7e-4", "0.00001"), ("0.", "1"), ("3.0", "0.1")]
)
def test_the_unit_is_that_of_the_last_printed_digit(printed: str, one: str) -> None:
    assert unit(printed) == Fraction(one)


def test_digits_behind_the_point() -> None:
    assert [decimals(printed) for printed in ("5.96", "2e-4", "0.", "1e3")] == [2, 4, 0, 0]


@given(
    st.decimals(-200, 200, allow_nan=False, places=6),
    st.integers(0, 4),
    st.sampled_from([ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_HALF_EVEN]),
)
def test_every_value_lies_in_the_interval_of_its_rounded_digits(value: Decimal, places: int, mode: str) -> None:
    printed = str(value.quantize(Decimal(1).scaleb(-places), rounding=mode))
    low, high = bounds(printed)
    assert low <= Fraction(value) <= high


def test_a_size_is_not_negative() -> None:
    assert rounded("0.0") == Interval(-0.05, 0.05)
    assert rounded_size("0.0") == Interval(0.0, 0.05)


@pytest.mark.parametrize(("printed", "low", "high"), [("0.51", 0.51, 0.52), ("-2.19", -2.20, -2.19)])
def test_digits_that_are_cut_off_go_towards_zero(printed: str, low: float, high: float) -> None:
    found = cut_off(printed)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_intervals_touch_and_overlap() -> None:
    assert Interval(1.0, 2.0).overlaps(Interval(2.0, 3.0))
    assert not Interval(1.0, 2.0).overlaps(Interval(2.001, 3.0))
    assert Interval(1.0, float("inf")).overlaps(Interval(5.0, 6.0))


def test_arithmetic_of_intervals() -> None:
    assert Interval(1.0, 2.0) - Interval(0.5, 3.0) == Interval(-2.0, 1.5)
    assert Interval(1.0, 2.0) + Interval(0.5, 3.0) == Interval(1.5, 5.0)
    assert Interval(-3.0, 1.0).magnitude == Interval(0.0, 3.0)
    assert Interval(-3.0, -1.0).magnitude == Interval(1.0, 3.0)
    assert Interval(0.0, 1.0).hull(Interval(3.0, 4.0)) == Interval(0.0, 4.0)
