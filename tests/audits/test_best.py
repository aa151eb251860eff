"""Best runs."""

import numpy as np
import pytest

from convrepro.audits.best import best_against_mean


def test_a_best_run_that_fits() -> None:
    runs = np.array([90.1, 90.3, 90.2, 90.6, 90.3])  # mean 90.30, std 0.187 (n - 1) or 0.167 (n)
    assert runs.mean() == pytest.approx(90.30)
    for std in ("0.19", "0.17", "0.2"):
        found = best_against_mean("90.60", "90.30", std, num_runs=5, larger_is_better=True)
        assert found.word == "consistent"


def test_a_best_run_that_is_too_far_from_the_mean() -> None:
    """ACONV, Table 3: 94.12 is 0.17 above 93.95; 5 runs with a std of at most 0.015 reach 0.015 * 2 = 0.03."""
    found = best_against_mean("94.12", "93.95", "0.01", num_runs=5, larger_is_better=True)
    assert found.word == "inconsistent"
    assert "at least 0.08" in found.arithmetic  # 0.16 / 2


def test_a_best_run_that_is_too_close_to_the_mean() -> None:
    """5 runs with a std of 1.0 have one at least 0.95 * sqrt(4 / 5) / 2 = 0.42 above the mean."""
    assert best_against_mean("90.10", "90.00", "1.0", num_runs=5, larger_is_better=True).word == "inconsistent"


def test_extremes_are_allowed() -> None:
    """One run at the top: (0, 0, 0, 0, 10) has mean 2, population std 4. One at the bottom: 8 and 4."""
    assert best_against_mean("10.0", "2.0", "4.0", num_runs=5, larger_is_better=True).word == "consistent"
    assert best_against_mean("10.0", "8.0", "4.0", num_runs=5, larger_is_better=True).word == "consistent"


def test_a_best_run_below_the_mean() -> None:
    assert best_against_mean("90.0", "90.2", "0.1", num_runs=5, larger_is_better=True).word == "inconsistent"
    assert best_against_mean("9.0", "9.2", "0.1", num_runs=5, larger_is_better=False).word == "consistent"
    assert best_against_mean("9.2", "9.0", "", num_runs=5, larger_is_better=False).word == "inconsistent"


def test_without_a_std_only_the_side_is_judged() -> None:
    assert best_against_mean("99.0", "90.0", "", num_runs=5, larger_is_better=True).word == "consistent"
