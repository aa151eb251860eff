"""The difference of two means, and how well it is known.

Welch, Biometrika 34 (1947) 28-35, with Satterthwaite's degrees of freedom. Where one side is only a printed
mean of m runs, the prediction interval of the mean of m further runs (Hahn and Meeker, Statistical Intervals,
Sec. 4.8): it takes the unknown deviation to be that of the other side. Beside them what papers print, Student's
test with equal variances, and the ratio of two means by the delta method (Casella and Berger, Statistical
Inference, Sec. 5.5.4).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from convrepro.statistics import student_t
from convrepro.statistics.summary import Summary, summarize

Method = Literal["welch", "student", "prediction", "least squares", "delta", "one sample"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An estimate with a Student t interval.

    Args:
        estimate: the first side minus the second; by ``delta`` the first over the second; of ``one sample`` its mean.
        standard_error: of the estimate; 0 if no side has any spread.
        degrees_of_freedom: of the t distribution; infinite if the standard error is 0.
        method: by which the standard error was found.
    """

    estimate: float
    standard_error: float
    degrees_of_freedom: float
    method: Method

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
    def t_statistic(self) -> float | None:
        """The estimate over its standard error; None without any spread."""
        return None if self.is_degenerate else self.estimate / self.standard_error

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
    return _independent(estimate, _error(ours), _error(theirs), ours.n, theirs.n, "welch")


def equal_variances(first: Summary, second: Summary) -> Difference:
    """First minus second by Student's test of two samples of equal variance, as ``scipy.stats.ttest_ind`` has it.

    Raises:
        ValueError: if a side has no standard deviation.
    """
    if first.std is None or second.std is None:
        raise ValueError("Student's test needs a standard deviation on both sides.")
    degrees_of_freedom = first.n + second.n - 2
    pooled = math.sqrt(((first.n - 1) * first.std**2 + (second.n - 1) * second.std**2) / degrees_of_freedom)
    return Difference(
        estimate=first.mean - second.mean,
        standard_error=pooled * math.sqrt(1.0 / first.n + 1.0 / second.n),
        degrees_of_freedom=float(degrees_of_freedom) if pooled else math.inf,
        method="student",
    )


def ratio(first: Summary, second: Summary) -> Difference:
    """Mean of the first over that of the second, by the delta method; Satterthwaite's degrees of freedom.

    For means that are many standard errors above zero, as times are.

    Raises:
        ValueError: if a side has no standard deviation or no positive mean.
    """
    if first.std is None or second.std is None:
        raise ValueError("a ratio needs a standard deviation on both sides.")
    if not min(first.mean, second.mean) > 0.0:
        raise ValueError(f"a ratio needs positive means, got {first.mean} and {second.mean}.")
    estimate = first.mean / second.mean
    errors = estimate * _error(first) / first.mean, estimate * _error(second) / second.mean
    return _independent(estimate, *errors, first.n, second.n, "delta")


def one_sample(summary: Summary) -> Difference:
    """A mean with the interval of repeated runs.

    Raises:
        ValueError: if there is no standard deviation.
    """
    if summary.std is None:
        raise ValueError("the interval of a mean needs a standard deviation.")
    degrees_of_freedom = float(summary.n - 1) if summary.std else math.inf
    return Difference(
        estimate=summary.mean,
        standard_error=_error(summary),
        degrees_of_freedom=degrees_of_freedom,
        method="one sample",
    )


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """First minus second, run by run, over the seeds that both have; None if these are fewer than two.

    For runs of one seed that share what chance decides, such as the weights.
    """
    differences = [first[seed] - second[seed] for seed in first if seed in second]
    if len(differences) < 2 or not all(map(math.isfinite, differences)):
        return None
    return one_sample(summarize(differences))


def half_width(ours: Summary, *, num_paper_runs: int, level: float = 0.95) -> float:
    """Half-width of the prediction interval t * std * sqrt(1/n + 1/m) for the mean of a paper's m runs."""
    return difference(ours, Summary(n=num_paper_runs, mean=ours.mean)).half_width(level)


def _error(summary: Summary) -> float:
    """Of a mean."""
    assert summary.std is not None
    return summary.std / math.sqrt(summary.n)


def _independent(
    estimate: float, first_error: float, second_error: float, first_n: int, second_n: int, method: Method
) -> Difference:
    """The errors of two independent sides together, with Satterthwaite's degrees of freedom."""
    standard_error = math.hypot(first_error, second_error)
    if standard_error == 0.0:
        return Difference(estimate=estimate, standard_error=0.0, degrees_of_freedom=math.inf, method=method)
    first_share, second_share = (first_error / standard_error) ** 2, (second_error / standard_error) ** 2
    return Difference(
        estimate=estimate,
        standard_error=standard_error,
        degrees_of_freedom=1.0 / (first_share**2 / (first_n - 1) + second_share**2 / (second_n - 1)),
        method=method,
    )
