import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from convrepro.statistics import Summary, difference, equal_variances, half_width, one_sample, paired, ratio, summarize

summaries = st.builds(
    Summary,
    n=st.integers(min_value=2, max_value=20),
    mean=st.floats(min_value=0.0, max_value=100.0),
    std=st.floats(min_value=1e-3, max_value=10.0),
)


def test_half_width_of_five_seeds_against_one_run() -> None:
    ours = Summary(n=5, mean=92.0, std=0.2)  # 2.776 * 0.2 * sqrt(1/5 + 1/1) = 0.608
    assert half_width(ours, num_paper_runs=1) == pytest.approx(0.608, abs=1e-3)


def test_welch_by_hand() -> None:
    """Table 5, CNN4 DK against its baseline, from the printed numbers."""
    found = difference(Summary(n=5, mean=5.86, std=0.13), Summary(n=5, mean=5.96, std=0.06))
    # variances of the means: 0.0169 / 5 = 0.00338 and 0.0036 / 5 = 0.00072
    assert found.estimate == pytest.approx(-0.10)
    assert found.standard_error == pytest.approx(math.sqrt(0.00410))  # 0.06403
    # 0.0041^2 / (0.00338^2 / 4 + 0.00072^2 / 4) = 1.681e-5 / 2.98570e-6
    assert found.degrees_of_freedom == pytest.approx(5.630, abs=1e-3)
    assert found.method == "welch"


@given(summaries, summaries)
def test_welch_agrees_with_scipy(ours: Summary, theirs: Summary) -> None:
    found = difference(ours, theirs)
    scipys = scipy.stats.ttest_ind_from_stats(
        ours.mean, ours.std, ours.n, theirs.mean, theirs.std, theirs.n, equal_var=False
    )
    assert found.p_value == pytest.approx(float(scipys.pvalue), rel=1e-9, abs=1e-300)


def test_interval_agrees_with_scipy_on_runs() -> None:
    ours, theirs = [5.9, 5.7, 5.8, 5.95], [6.1, 5.6, 6.3]
    scipys = scipy.stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.9)
    found = difference(_summary(ours), _summary(theirs)).interval(0.9)
    assert found == pytest.approx((scipys.low, scipys.high))


@given(summaries, summaries)
def test_antisymmetric(ours: Summary, theirs: Summary) -> None:
    there, back = difference(ours, theirs), difference(theirs, ours)
    assert there.estimate == -back.estimate
    assert there.interval() == pytest.approx(tuple(-bound for bound in reversed(back.interval())))


@given(summaries, st.integers(min_value=1, max_value=9), st.floats(min_value=0.0, max_value=100.0))
def test_prediction_interval_is_antisymmetric(ours: Summary, n: int, mean: float) -> None:
    printed = Summary(n=n, mean=mean)
    assert difference(ours, printed).half_width() == difference(printed, ours).half_width()


@given(summaries, summaries, st.floats(min_value=0.5, max_value=0.98))
def test_a_higher_level_has_a_wider_interval(ours: Summary, theirs: Summary, level: float) -> None:
    found = difference(ours, theirs)
    assert found.half_width(level) < found.half_width(level + 0.01)


@given(summaries, summaries)
def test_p_below_5_percent_is_an_interval_without_zero(ours: Summary, theirs: Summary) -> None:
    found = difference(ours, theirs)
    if abs(found.p_value - 0.05) > 1e-9:
        low, high = found.interval(0.95)
        assert (found.p_value < 0.05) == (low > 0.0 or high < 0.0)


@pytest.mark.parametrize(("estimate", "p_value"), [(0.0, 1.0), (0.5, 0.0)])
def test_without_spread_the_interval_is_a_point(estimate: float, p_value: float) -> None:
    found = difference(Summary(n=5, mean=6.0 + estimate, std=0.0), Summary(n=5, mean=6.0, std=0.0))
    assert found.is_degenerate
    assert found.interval() == (estimate, estimate)
    assert found.degrees_of_freedom == math.inf
    assert found.p_value == p_value


def test_one_side_without_spread_has_the_other_sides_degrees_of_freedom() -> None:
    found = difference(Summary(n=5, mean=6.0, std=0.0), Summary(n=3, mean=6.0, std=0.1))
    assert found.degrees_of_freedom == pytest.approx(2.0)


def test_tiny_deviations_do_not_underflow() -> None:
    found = difference(Summary(n=5, mean=0.0, std=1e-200), Summary(n=5, mean=0.0, std=1e-200))
    assert found.degrees_of_freedom == pytest.approx(8.0)


def test_two_single_numbers_have_no_interval() -> None:
    with pytest.raises(ValueError, match="on at least one side"):
        difference(Summary(n=1, mean=5.0), Summary(n=1, mean=5.1))


def _summary(values: list[float]) -> Summary:
    return Summary(n=len(values), mean=sum(values) / len(values), std=_std(values))


def _std(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


@given(summaries, summaries)
def test_equal_variances_agree_with_scipy(first: Summary, second: Summary) -> None:
    found = equal_variances(first, second)
    scipys = scipy.stats.ttest_ind_from_stats(first.mean, first.std, first.n, second.mean, second.std, second.n)
    assert found.t_statistic == pytest.approx(scipys.statistic)
    assert found.p_value == pytest.approx(scipys.pvalue, abs=1e-12)
    assert (found.degrees_of_freedom, found.method) == (first.n + second.n - 2, "student")


def test_no_t_without_any_spread() -> None:
    point = Summary(n=5, mean=5.0, std=0.0)
    assert equal_variances(point, point).t_statistic is None
    assert equal_variances(point, point).p_value == 1.0


def test_ratio_by_hand() -> None:
    """215 / 166 us, deviations 4 and 3 over 5 runs: relative errors 0.00832 and 0.00808, together 0.01160."""
    found = ratio(Summary(n=5, mean=215.0, std=4.0), Summary(n=5, mean=166.0, std=3.0))
    assert found.estimate == pytest.approx(1.29518, abs=1e-5)
    assert found.standard_error == pytest.approx(1.29518 * 0.01160, rel=1e-3)
    assert 7.9 < found.degrees_of_freedom <= 8.0


def test_the_interval_of_a_ratio_covers_it_in_95_of_100_draws() -> None:
    generator = np.random.default_rng(0)
    draws = generator.normal((300.0, 250.0), (12.0, 5.0), size=(2000, 5, 2))
    hits = 0
    for runs in draws:
        low, high = ratio(summarize(runs[:, 0]), summarize(runs[:, 1])).interval()
        hits += low <= 1.2 <= high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)  # three deviations of a share of 2000


def test_the_interval_of_a_mean_agrees_with_scipy() -> None:
    values = [0.1, 0.3, 0.2, 0.6]
    found = one_sample(summarize(values)).interval()
    scipys = scipy.stats.ttest_1samp(values, 0.0).confidence_interval()
    assert found == pytest.approx((scipys.low, scipys.high))
    assert one_sample(Summary(n=3, mean=0.5, std=0.0)).interval() == (0.5, 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one, two: equal_variances(one, two), "Student's test needs a standard deviation on both sides"),
        (lambda one, two: ratio(one, two), "a ratio needs a standard deviation on both sides"),
        (lambda one, two: ratio(two, Summary(n=5, mean=0.0, std=1.0)), "a ratio needs positive means, got 2.0 and 0.0"),
        (lambda one, two: one_sample(one), "the interval of a mean needs a standard deviation"),
    ],
)
def test_what_cannot_be_compared(call: Callable[[Summary, Summary], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(Summary(n=1, mean=1.0), Summary(n=5, mean=2.0, std=1.0))


def test_pairs_are_those_of_common_seeds_as_scipy_has_them() -> None:
    first, second = {0: 5.0, 1: 6.1, 2: 7.3, 5: 0.0}, {2: 7.0, 1: 6.0, 0: 5.1, 7: 9.0}
    found, scipys = paired(first, second), scipy.stats.ttest_rel([5.0, 6.1, 7.3], [5.1, 6.0, 7.0])
    assert found is not None
    assert found.t_statistic == pytest.approx(scipys.statistic)
    assert found.p_value == pytest.approx(scipys.pvalue)


@pytest.mark.parametrize("second", [{}, {0: 1.0, 2: 1.0}, {0: 1.0, 1: math.nan}])
def test_too_few_pairs(second: dict[int, float]) -> None:
    assert paired({0: 1.0, 1: 2.0}, second) is None
