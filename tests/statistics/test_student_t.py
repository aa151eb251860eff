import pytest
import scipy.stats

from convrepro.statistics import student_t


@pytest.mark.parametrize(
    ("degrees_of_freedom", "quantile"),
    [(1, 12.706), (4, 2.776), (8, 2.306), (30, 2.042), (float("inf"), 1.960)],
)
def test_quantiles_of_the_printed_table(degrees_of_freedom: float, quantile: float) -> None:
    """Any textbook's t table, column 0.975."""
    assert student_t.two_sided_quantile(0.95, degrees_of_freedom) == pytest.approx(quantile, abs=5e-4)


@pytest.mark.parametrize("t", [0.0, -0.3, 2.776, 40.0])
def test_p_agrees_with_scipy(t: float) -> None:
    assert student_t.two_sided_p(t, 4.0) == pytest.approx(2 * scipy.stats.t.sf(abs(t), 4), rel=1e-10)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_level_out_of_range(level: float) -> None:
    with pytest.raises(ValueError, match=r"`level` must lie in \(0, 1\)"):
        student_t.two_sided_quantile(level, 4.0)
