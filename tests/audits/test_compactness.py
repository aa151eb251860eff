"""Compact factors, Eq. (25) of ACL."""

import itertools
import math
from fractions import Fraction

import pytest

from convrepro.audits import facts
from convrepro.audits.compactness import compact_factors, parse

PARAMETERS = facts.load()["analytic_kernels"]


def test_the_arrangement_of_experiment_3() -> None:
    """(30 * 4 + 15 + 15 + 36 * 3 + 96 * 49) / (192 * 49) = 4962 / 9408 are left."""
    low, high = compact_factors("G30Lg15Lt15Tf36P96", num_kernels=192, kernel_size=7, parameters=PARAMETERS)
    assert low == high == pytest.approx(1 - 4962 / 9408)


def test_ratios_that_give_whole_numbers_are_those_numbers() -> None:
    whole = compact_factors("G48P144", num_kernels=192, kernel_size=7, parameters=PARAMETERS)
    assert compact_factors("G0.25P0.75", num_kernels=192, kernel_size=7, parameters=PARAMETERS) == pytest.approx(whole)


def test_other_ratios_may_be_rounded_either_way() -> None:
    """Against all ways to round up or down that sum to 72 kernels."""
    arrangement, total, area = "G0.1562Lg0.0781Lt0.0781Tf0.1875P0.5", 72, 9
    weights = [4, 1, 1, 3, 9]
    ratios = [Fraction(text) for text in ("0.1562", "0.0781", "0.0781", "0.1875", "0.5")]
    shares = [ratio / sum(ratios) * total for ratio in ratios]
    factors = [
        1 - sum(weight * count for weight, count in zip(weights, counts, strict=True)) / (total * area)
        for counts in itertools.product(*({math.floor(share), math.ceil(share)} for share in shares))
        if sum(counts) == total
    ]
    found = compact_factors(arrangement, num_kernels=total, kernel_size=3, parameters=PARAMETERS)
    assert found == pytest.approx((min(factors), max(factors)))


def test_a_wrong_sum_and_an_unknown_kernel() -> None:
    with pytest.raises(ValueError, match="has 191 kernels, the layer 192"):
        compact_factors("G95P96", num_kernels=192, kernel_size=7, parameters=PARAMETERS)
    with pytest.raises(ValueError, match="a kind of kernel besides"):
        compact_factors("Q96P96", num_kernels=192, kernel_size=7, parameters=PARAMETERS)


@pytest.mark.parametrize("text", ["", "G", "12", "G30-P2", "g30"])
def test_no_arrangement(text: str) -> None:
    with pytest.raises(ValueError, match="an arrangement reads like"):
        parse(text)
