"""Bounds of t, degrees of freedom and p over printed digits, against SciPy on a grid."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from convrepro.audits.student import Reading, df_range, p_range, readings, sample, t_range

CASES = [
    ("5.86", "0.13", 5, "5.96", "0.06", 5),
    ("99.63", "0.02", 5, "99.58", "0.02", 5),
    ("94.72", "0.2", 5, "93.95", "0.01", 5),
    ("90.1", "0.5", 3, "88.2", "1.5", 10),
    ("90.0", "0.0", 4, "90.1", "0.3", 2),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reading", list(readings()), ids=str)
def test_no_value_that_rounds_to_the_printed_ones_lies_outside(
    case: tuple[str, str, int, str, str, int], reading: Reading
) -> None:
    first, second = sample(*case[:3]), sample(*case[3:])
    t, df = t_range(first, second, reading), df_range(first, second, reading)
    p = p_range(t, df)
    grids = [np.linspace(side.low, side.high, 5) for side in (first.mean, first.std, second.mean, second.std)]
    seen_t, seen_df = [], []
    for mean1, std1, mean2, std2 in itertools.product(*grids):
        if std1 == std2 == 0.0:
            continue
        factors = [1.0 if reading.ddof else math.sqrt(n / (n - 1)) for n in (first.n, second.n)]
        found = stats.ttest_ind_from_stats(
            mean1,
            std1 * factors[0],
            first.n,
            mean2,
            std2 * factors[1],
            second.n,
            equal_var=reading.test == "pooled",
        )
        variances = (std1 * factors[0]) ** 2 / first.n, (std2 * factors[1]) ** 2 / second.n
        satterthwaite = sum(variances) ** 2 / (variances[0] ** 2 / (first.n - 1) + variances[1] ** 2 / (second.n - 1))
        seen_t.append(abs(found.statistic))
        seen_df.append(first.n + second.n - 2 if reading.test == "pooled" else satterthwaite)
        assert p.low - 1e-12 <= found.pvalue <= p.high + 1e-12
    assert t.low - 1e-9 <= min(seen_t) <= max(seen_t) <= t.high * (1 + 1e-9)
    assert df.low - 1e-9 <= min(seen_df) <= max(seen_df) <= df.high + 1e-9
    assert min(seen_t) == pytest.approx(t.low, abs=1e-9)  # the bounds of t are reached at corners
    if math.isfinite(t.high):
        assert max(seen_t) == pytest.approx(t.high)


def test_without_spread_t_is_unbounded() -> None:
    reading = Reading(ddof=1, test="Welch")
    t = t_range(sample("90.0", "0.0", 5), sample("91.0", "0.0", 5), reading)
    assert t.high == math.inf
    assert p_range(t, df_range(sample("90.0", "0.0", 5), sample("91.0", "0.0", 5), reading)).low == 0.0


def test_one_run_has_no_std() -> None:
    with pytest.raises(ValueError, match="at least 2 runs, got 1"):
        sample("90.0", "0.1", 1)
