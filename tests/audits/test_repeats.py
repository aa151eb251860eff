"""Cells that are alike."""

import itertools
import math

import numpy as np
import pytest

from convrepro.audits.repeats import LEVEL, Pair, at_least, chance, copied, copied_sizes


def test_chance_is_an_upper_bound() -> None:
    """Two normal values with std 0.1 and equal expectations, the worst case, printed with one decimal or two."""
    random = np.random.default_rng(0)
    values = random.normal(90.0, 0.1, (2, 200_000))
    for decimals in (1, 2):
        alike = float(np.mean(np.round(values[0], decimals) == np.round(values[1], decimals)))
        bound = chance(Pair(first="", second="", noise=0.1, unit=10.0**-decimals))
        assert alike <= bound
        assert bound <= 2.5 * alike


@pytest.mark.parametrize("units_per_std", [0.01, 0.1, 0.5, 1.0, 2.0, 5.0])
def test_chance_bounds_the_probability_of_less_than_a_unit_between_two_values(units_per_std: float) -> None:
    """Of two normal values with equal expectations and std s it is erf(u / (2 s)), the bound its tangent at u = 0."""
    exact = math.erf(units_per_std / 2.0)
    bound = chance(Pair(first="", second="", noise=0.1, unit=0.1 * units_per_std))
    assert exact <= bound <= 1.0
    if units_per_std <= 0.1:
        assert bound == pytest.approx(exact, rel=1e-3)


def test_false_alarms_are_rarer_than_the_level_by_listing_all_outcomes() -> None:
    """Each cell alike with the probability erf(u / (2 s)) of the worst case: 6 of 8 alike would be too frequent."""
    alike = math.erf(0.01 / (2.0 * 0.09))
    alarms = {
        count: math.comb(8, count) * alike**count * (1.0 - alike) ** (8 - count)
        for count in range(9)
        if copied(_pairs(count, 8)).word == "inconsistent"
    }
    assert set(alarms) == {7, 8}
    assert sum(alarms.values()) < LEVEL < math.comb(8, 6) * alike**6 * (1.0 - alike) ** 2


def test_at_least_by_listing_all_outcomes() -> None:
    probabilities = [0.1, 0.5, 0.7]
    for count in range(4):
        listed = sum(
            math.prod(p if happens else 1 - p for p, happens in zip(probabilities, outcome, strict=True))
            for outcome in itertools.product((True, False), repeat=3)
            if sum(outcome) >= count
        )
        assert at_least(probabilities, count) == pytest.approx(listed)


def _pairs(num_alike: int, num_cells: int) -> list[Pair]:
    return [
        Pair(first="5.96", second="5.96" if cell < num_alike else "6.12", noise=0.09, unit=0.01)
        for cell in range(num_cells)
    ]


def test_a_copied_column_and_an_own_one() -> None:
    assert copied(_pairs(15, 15)).word == "inconsistent"
    assert copied(_pairs(1, 15)).word == "consistent"
    assert copied(_pairs(0, 15)).word == "consistent"


def test_part_of_a_column_that_was_copied() -> None:
    probability = at_least([chance(pair) for pair in _pairs(0, 15)], 9)
    assert probability < LEVEL
    assert copied(_pairs(9, 15)).word == "inconsistent"


def test_numbers_without_noise_say_nothing() -> None:
    pairs = [Pair(first="0.47", second="0.47", noise=0.0, unit=0.01)] * 8
    assert copied(pairs).word == "cannot tell"


def test_sizes_that_cannot_be_alike() -> None:
    pairs = [Pair(first="0.52M", second="0.52M", noise=0.0, unit=10_000.0)] * 3
    assert copied_sizes(pairs, [(153_802, 522_532)] * 3).word == "inconsistent"
    assert copied_sizes(pairs, [(520_000, 522_532)] * 3).word == "consistent"
