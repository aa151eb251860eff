import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrepro.statistics import Summary, sample_std, summarize

errors = st.lists(st.floats(min_value=0.0, max_value=100.0), min_size=2, max_size=8)


def test_summary_by_hand() -> None:
    assert summarize([4.0, 5.0, 9.0]) == Summary(n=3, mean=6.0, std=math.sqrt(7.0))  # (4 + 1 + 9) / 2 = 7


def test_equal_runs_have_exactly_no_spread() -> None:
    assert summarize([0.1] * 7) == Summary(n=7, mean=0.1, std=0.0)


def test_one_run_has_no_deviation() -> None:
    assert summarize([5.0]) == Summary(n=1, mean=5.0, std=None)


@given(errors)
def test_agrees_with_exact_fractions(values: list[float]) -> None:
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)
    ours = summarize(values)
    assert ours.mean == float(mean)
    assert ours.std == pytest.approx(math.sqrt(variance), rel=1e-15, abs=5e-162)  # below, squares underflow


@given(st.lists(st.floats(min_value=0.01, max_value=100.0), min_size=2, max_size=8))
def test_mean_agrees_with_numpy_to_one_ulp(values: list[float]) -> None:
    numpy = float(np.mean(values))
    # numpy rounds every addition: eight of them may shift it by as many half units before the division
    assert abs(summarize(values).mean - numpy) <= 4 * math.ulp(numpy)


def test_five_printed_errors_agree_with_numpy_to_one_ulp() -> None:
    values = [5.83, 5.62, 5.51, 5.74, 5.69]
    ours = summarize(values)
    assert ours.std is not None
    assert abs(ours.mean - float(np.mean(values))) <= math.ulp(ours.mean)
    assert abs(ours.std - float(np.std(values, ddof=1))) <= math.ulp(ours.std)


@given(errors, st.randoms(use_true_random=False))
def test_order_does_not_matter(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert summarize(shuffled) == summarize(values)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_run_that_is_not_finite_makes_the_summary_not_finite(bad: float) -> None:
    ours = summarize([5.0, bad])
    assert math.isnan(ours.mean)
    assert not ours.is_finite


def test_a_deviation_that_no_float_holds_is_infinite() -> None:
    assert summarize([1.7e308, -1.7e308]) == Summary(n=2, mean=0.0, std=math.inf)


def test_no_values() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        summarize([])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 0, "mean": 1.0}, "`n` must be at least 1, got 0"),
        ({"n": 1, "mean": 1.0, "std": 0.1}, "one run has no standard deviation"),
        ({"n": 2, "mean": 1.0, "std": -0.1}, "`std` must not be negative, got -0.1"),
    ],
)
def test_impossible_summaries(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Summary(**fields)  # type: ignore[arg-type]


@given(errors)
def test_a_deviation_with_n_becomes_that_of_the_sample(values: list[float]) -> None:
    assert sample_std(float(np.std(values)), len(values)) == pytest.approx(float(np.std(values, ddof=1)), abs=1e-9)


def test_one_run_has_no_sample_deviation() -> None:
    with pytest.raises(ValueError, match="`n` must be at least 2, got 1"):
        sample_std(0.1, 1)
