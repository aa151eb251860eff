"""Significance of printed differences."""

import pytest
from scipy import stats

from convrepro.audits.differences import side, significance
from convrepro.audits.student import sample


def test_a_difference_that_every_reading_finds() -> None:
    found = significance(sample("28.18", "0.17", 5), sample("29.02", "0.50", 5), claimed="lower", called="")
    assert found.word == "consistent"
    central = stats.ttest_ind_from_stats(28.18, 0.17, 5, 29.02, 0.50, 5, equal_var=False).pvalue  # 0.0167
    low, high = (float(text) for text in found.arithmetic.split("Welch p ")[1].split(" (")[0].split(" to "))
    assert low < central < high


def test_a_difference_within_the_noise_is_no_contradiction() -> None:
    found = significance(sample("5.86", "0.13", 5), sample("5.96", "0.06", 5), claimed="lower", called="")
    assert found.word == "cannot tell"
    assert "not significant" in found.arithmetic


def test_a_difference_that_rounding_decides() -> None:
    """5.0 +- 0.1 against 5.2 +- 0.1: the means may be 0.1 or 0.3 apart."""
    found = significance(sample("5.0", "0.1", 5), sample("5.2", "0.1", 5), claimed="lower", called="significant")
    assert found.word == "cannot tell"
    assert "depends on the reading" in found.arithmetic


def test_a_claim_on_the_wrong_side() -> None:
    found = significance(sample("5.20", "0.10", 5), sample("5.00", "0.10", 5), claimed="lower", called="")
    assert found.word == "inconsistent"


def test_equal_means_are_on_no_wrong_side() -> None:
    found = significance(sample("5.00", "0.10", 5), sample("5.00", "0.10", 5), claimed="lower", called="")
    assert found.word == "cannot tell"


def test_a_significance_that_is_not_there() -> None:
    found = significance(sample("5.00", "0.50", 5), sample("5.10", "0.50", 5), claimed="lower", called="significant")
    assert found.word == "inconsistent"


def test_an_insignificance_that_is_not_there() -> None:
    one, other = sample("5.00", "0.10", 5), sample("9.00", "0.10", 5)
    assert significance(one, other, claimed="", called="not significant").word == "inconsistent"
    assert significance(one, one, claimed="", called="not significant").word == "consistent"


@pytest.mark.parametrize(
    ("first", "second", "claimed", "word"),
    [("23.03", "23.81", "lower", "cannot tell"), ("23.81", "23.03", "lower", "inconsistent")],
)
def test_without_stds_only_the_side_is_judged(first: str, second: str, claimed: str, word: str) -> None:
    assert side(first, second, claimed).word == word  # type: ignore[arg-type]
