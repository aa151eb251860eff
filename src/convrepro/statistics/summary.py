"""n, mean and sample standard deviation of repeated runs."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What is known of a set of runs.

    Args:
        n: number of runs, at least 1.
        mean: their mean; NaN if one of them was not finite.
        std: sample standard deviation (n - 1 in the denominator); None if it is unknown or ``n`` is 1, infinite if
            no float is as large.

    Raises:
        ValueError: if ``n`` or ``std`` is out of range, or one run is given a deviation.
    """

    n: int
    mean: float
    std: float | None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"`n` must be at least 1, got {self.n}.")
        if self.std is not None and self.n < 2:
            raise ValueError(f"one run has no standard deviation, got `std` {self.std}.")
        if self.std is not None and self.std < 0:
            raise ValueError(f"`std` must not be negative, got {self.std}.")

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.mean) and (self.std is None or math.isfinite(self.std))


def summarize(values: Iterable[float]) -> Summary:
    """Summary of the values, computed in exact arithmetic and rounded once: their order does not matter.

    Raises:
        ValueError: if there are no values.
    """
    runs = [float(value) for value in values]
    if not runs:
        raise ValueError("a summary needs at least one value.")
    if not all(map(math.isfinite, runs)):
        return Summary(n=len(runs), mean=math.nan, std=math.nan if len(runs) > 1 else None)
    return Summary(n=len(runs), mean=statistics.mean(runs), std=_std(runs) if len(runs) > 1 else None)


def _std(runs: list[float]) -> float:
    try:
        return statistics.stdev(runs)
    except OverflowError:
        return math.inf


def sample_std(population_std: float, n: int) -> float:
    """The sample standard deviation of n runs whose deviation was printed with n in the denominator.

    Raises:
        ValueError: if ``n`` is below 2.
    """
    if n < 2:
        raise ValueError(f"`n` must be at least 2, got {n}.")
    return population_std * math.sqrt(n / (n - 1))
