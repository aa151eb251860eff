"""Student's t distribution. SciPy is imported on first use: reading a table's help must not wait for it."""

import math


def two_sided_quantile(level: float, degrees_of_freedom: float) -> float:
    """The t that a variable of this distribution stays within, in absolute value, with probability ``level``.

    Raises:
        ValueError: if ``level`` lies outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"`level` must lie in (0, 1), got {level}.")
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, (1.0 + level) / 2.0))


def two_sided_p(t: float, degrees_of_freedom: float) -> float:
    """Probability that a variable of this distribution lies further from zero than ``t``."""
    from scipy.special import stdtr

    return 2.0 * float(stdtr(degrees_of_freedom, -math.fabs(t)))
