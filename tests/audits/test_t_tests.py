"""Printed t and p."""

import pytest

from convrepro.audits.student import sample
from convrepro.audits.t_tests import PrintedTest, common_reading, p_from_means, p_from_t, t_from_means

# Invented: two samples of 5; sample stds 0.20 and 0.30, population stds 0.18 and 0.27; means 1.00 apart.
# t = 1 / sqrt((0.04 + 0.09) / 5) = 6.202; pooled p (8 degrees of freedom) 2.59e-4, Welch (6.97) 4.5e-4.
FIRST, SECOND = sample("91.00", "0.20", 5), sample("90.00", "0.30", 5)


def test_a_t_that_follows() -> None:
    assert t_from_means(FIRST, SECOND, "6.20").word == "consistent"
    assert t_from_means(SECOND, FIRST, "6.20").word == "consistent"  # whichever was subtracted


def test_a_t_that_does_not_follow() -> None:
    found = t_from_means(FIRST, SECOND, "7.40")
    assert found.word == "inconsistent"
    assert "printed 7.40" in found.arithmetic


def test_a_t_tells_what_the_printed_std_divides_by() -> None:
    """With population stds of 0.20 and 0.30 t is 6.202 * sqrt(4 / 5) = 5.547."""
    assert t_from_means(FIRST, SECOND, "5.55").arithmetic.endswith("as by std by n")
    assert t_from_means(FIRST, SECOND, "6.20").arithmetic.endswith("as by std by n - 1")


def test_a_p_tells_the_test() -> None:
    assert p_from_t(FIRST, SECOND, "6.20", "2.6e-4").arithmetic.endswith("as by pooled")
    assert p_from_t(FIRST, SECOND, "6.20", "4.5e-4").arithmetic.endswith("as by Welch")


def test_a_p_that_does_not_follow_from_t() -> None:
    assert p_from_t(FIRST, SECOND, "6.20", "0.01").word == "inconsistent"


def test_a_p_whose_digits_were_cut_off() -> None:
    """ACONV, Table 3: t = 0.67 with 8 degrees of freedom has p = 0.519 to 0.525, printed 0.51."""
    found = p_from_t(sample("99.70", "0.01", 5), sample("99.69", "0.02", 5), "0.67", "0.51")
    assert found.word == "inconsistent"
    assert "cut off" in found.arithmetic


@pytest.mark.parametrize(("printed", "word"), [("2.6e-4", "consistent"), ("0.20", "inconsistent")])
def test_a_p_from_means(printed: str, word: str) -> None:
    assert p_from_means(FIRST, SECOND, printed).word == word


def test_a_negative_t_has_the_size_of_a_positive_one() -> None:
    assert t_from_means(FIRST, SECOND, "-6.20").word == "consistent"
    assert p_from_t(FIRST, SECOND, "-6.20", "2.6e-4").word == "consistent"


def test_the_reading_of_a_whole_table() -> None:
    """With population stds of 0.20 and 0.30 t is 5.547; its pooled p is 5.4e-4."""
    tests = [PrintedTest(first=FIRST, second=SECOND, t="5.55", p="5.4e-4")] * 2
    assert common_reading(tests).arithmetic.endswith("pooled, std by n")
    others = [*tests, PrintedTest(first=FIRST, second=SECOND, t="6.20", p="2.6e-4")]
    assert common_reading(others).word == "cannot tell"


def test_p_alone_is_a_test_too() -> None:
    tests = [PrintedTest(first=FIRST, second=SECOND, t="", p="2.6e-4")]
    assert common_reading(tests).word == "consistent"
