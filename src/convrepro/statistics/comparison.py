"""The difference of two means, and how well it is known.

Welch, Biometrika 34 (1947) 28-35, with Satterthwaite's degrees of freedom. Where one side is only a printed
mean of m runs, the prediction interval of the mean of m further runs (Hahn and Meeker, Statistical Intervals,
Sec. 4.8): it takes the unknown deviation to be that of the other side.
"""

import math
from dataclasses import dataclass
from typing import Literal

from convrepro.statistics import student_t
from convrepro.statistics.summary import Summary


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An estimate with a Student t interval.

    Args:
        estimate: the first side minus the second.
        standard_error: of the estimate; 0 if no side has any spread.
        degrees_of_freedom: of the t distribution; infinite if the standard error is 0.
        method: ``welch``, ``prediction`` or ``least squares``.
    """

    estimate: float
    standard_error: float
    degrees_of_freedom: float
    method: Literal["welch", "prediction", "least squares"]

    @property
    def is_degenerate(self) -> bool:
        """No side has any spread: every interval is the estimate itself."""
        return self.standard_error == 0.0

    def half_width(self, level: float = 0.95) -> float:
        """Half the width of the two-sided interval.

        Raises:
            ValueError: if ``level`` lies outside (0, 1).
        """
        if self.is_degenerate:
            return 0.0
        return student_t.two_sided_quantile(level, self.degrees_of_freedom) * self.standard_error

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Lower and upper bound of the two-sided interval."""
        half_width = self.half_width(level)
        return self.estimate - half_width, self.estimate + half_width

    @property
    def p_value(self) -> float:
        """Two-sided p-value of "no difference"; without any spread 1 if the estimate is zero, else 0."""
        if self.is_degenerate:
            return 1.0 if self.estimate == 0.0 else 0.0
        return student_t.two_sided_p(self.estimate / self.standard_error, self.degrees_of_freedom)


def difference(ours: Summary, theirs: Summary) -> Difference:
    """Ours minus theirs: Welch's if both deviations are known, else the prediction interval of the known one.

    The printed mean is taken as it is printed; how its rounding bears on a verdict is decided there.

    Raises:
        ValueError: if neither side has a standard deviation.
    """
    estimate = ours.mean - theirs.mean
    if ours.std is None and theirs.std is None:
        raise ValueError("a difference needs a standard deviation on at least one side.")
    if ours.std is None or theirs.std is None:
        known, other = (ours, theirs) if theirs.std is None else (theirs, ours)
        assert known.std is not None
        return Difference(
            estimate=estimate,
            standard_error=known.std * math.sqrt(1.0 / known.n + 1.0 / other.n),
            degrees_of_freedom=float(known.n - 1) if known.std else math.inf,
            method="prediction",
        )
    our_error, their_error = ours.std / math.sqrt(ours.n), theirs.std / math.sqrt(theirs.n)
    standard_error = math.hypot(our_error, their_error)
    if standard_error == 0.0:
        return Difference(estimate=estimate, standard_error=0.0, degrees_of_freedom=math.inf, method="welch")
    our_share, their_share = (our_error / standard_error) ** 2, (their_error / standard_error) ** 2
    return Difference(
        estimate=estimate,
        standard_error=standard_error,
        degrees_of_freedom=1.0 / (our_share**2 / (ours.n - 1) + their_share**2 / (theirs.n - 1)),
        method="welch",
    )


def half_width(ours: Summary, *, num_paper_runs: int, level: float = 0.95) -> float:
    """Half-width of the prediction interval t * std * sqrt(1/n + 1/m) for the mean of a paper's m runs."""
    return difference(ours, Summary(n=num_paper_runs, mean=ours.mean)).half_width(level)
