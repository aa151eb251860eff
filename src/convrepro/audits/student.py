"""Student's and Welch's t over all means and stds that round to the printed ones.

Welch, Biometrika 34 (1947) 28-35. The bounds are outer ones: p falls with t and with the degrees of freedom, so the
largest t and the largest number of degrees of freedom together bound it from below, though no values need have both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from convrepro.audits.rounding import Interval, rounded, rounded_size
from convrepro.statistics import student_t

Test = Literal["Welch", "pooled"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A printed mean and std of ``n`` runs, as intervals.

    Args:
        text: as printed, for people.
        std: not negative.
        n: at least 2.
    """

    text: str
    mean: Interval
    std: Interval
    n: int


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the paper may have computed: what it divides by in the std, and which test.

    Args:
        ddof: 1 if the printed std divides by n - 1, 0 if by n.
    """

    ddof: int
    test: Test

    def __str__(self) -> str:
        return f"{self.test}, std by {'n - 1' if self.ddof else 'n'}"


def readings() -> Iterator[Reading]:
    """All of them."""
    for ddof in (1, 0):
        yield Reading(ddof=ddof, test="Welch")
        yield Reading(ddof=ddof, test="pooled")


def sample(mean: str, std: str, n: int) -> Sample:
    """From printed digits.

    Raises:
        ValueError: if ``n`` is less than 2, for one run has no std.
    """
    if n < 2:
        raise ValueError(f"a std needs at least 2 runs, got {n}.")
    return Sample(text=f"{mean}+-{std}", mean=rounded(mean), std=rounded_size(std), n=n)


def t_range(first: Sample, second: Sample, reading: Reading) -> Interval:
    """Attainable |t|; its upper bound is infinite where both stds may be 0."""
    gap = (first.mean - second.mean).magnitude
    stds = _sample_stds(first, second, reading.ddof)
    error = Interval(*(_standard_error(first.n, second.n, *pair, reading.test) for pair in _corners(stds)))
    highest = gap.high / error.low if error.low > 0.0 else math.inf
    return Interval(gap.low / error.high, highest)


def df_range(first: Sample, second: Sample, reading: Reading) -> Interval:
    """Attainable degrees of freedom: n1 + n2 - 2, or Satterthwaite's, which depend on the ratio of the stds alone."""
    dof1, dof2 = first.n - 1, second.n - 1
    if reading.test == "pooled":
        return Interval(dof1 + dof2, dof1 + dof2)
    one, other = _sample_stds(first, second, reading.ddof)
    # share of the first side in the variance of the difference, between 0 and 1
    low = _share(one.low**2 / first.n, other.high**2 / second.n)
    high = _share(one.high**2 / first.n, other.low**2 / second.n)
    ends = [_welch_df(share, dof1, dof2) for share in (low, high)]
    peak = dof1 / (dof1 + dof2)  # where both sides weigh as their degrees of freedom
    top = dof1 + dof2 if low <= peak <= high else max(ends)
    return Interval(min(ends), top)


def p_range(t: Interval, df: Interval) -> Interval:
    """Outer bounds of the two-sided p for |t| and degrees of freedom within these intervals."""
    lowest = 0.0 if math.isinf(t.high) else student_t.two_sided_p(t.high, df.high)
    return Interval(lowest, student_t.two_sided_p(t.low, df.low))


def _sample_stds(first: Sample, second: Sample, ddof: int) -> tuple[Interval, Interval]:
    """With n - 1 in the denominator, whatever the printed ones have."""
    one, other = (side.std.scaled(1.0 if ddof else math.sqrt(side.n / (side.n - 1))) for side in (first, second))
    return one, other


def _corners(stds: tuple[Interval, Interval]) -> tuple[tuple[float, float], tuple[float, float]]:
    return (stds[0].low, stds[1].low), (stds[0].high, stds[1].high)


def _standard_error(n1: int, n2: int, std1: float, std2: float, test: Test) -> float:
    if test == "Welch":
        return math.hypot(std1 / math.sqrt(n1), std2 / math.sqrt(n2))
    shares = (math.sqrt((n - 1) / (n1 + n2 - 2)) for n in (n1, n2))
    pooled = math.hypot(*(share * std for share, std in zip(shares, (std1, std2), strict=True)))
    return pooled * math.sqrt(1 / n1 + 1 / n2)


def _share(one: float, other: float) -> float:
    return one / (one + other) if one + other > 0.0 else 0.0


def _welch_df(share: float, dof1: int, dof2: int) -> float:
    return 1.0 / (share**2 / dof1 + (1.0 - share) ** 2 / dof2)
