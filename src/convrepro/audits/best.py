"""Is a best run as far from the mean as n runs with the printed std can have it?

n values with population std s have their largest between s / sqrt(n - 1) and s sqrt(n - 1) above their mean (Samuelson,
Journal of the American Statistical Association 63 (1968) 1522-1525; the lower bound has n - 1 equal values at the top).
"""

import math

from convrepro.audits.finding import Judgement
from convrepro.audits.rounding import rounded, rounded_size


def best_against_mean(best: str, mean: str, std: str, *, num_runs: int, larger_is_better: bool) -> Judgement:
    """Judges a printed best run; an empty ``std`` leaves only the side to judge.

    Args:
        num_runs: at least 2 if there is a std.
        larger_is_better: true for accuracies, false for errors and losses.
    """
    gap = rounded(best) - rounded(mean)
    if not larger_is_better:
        gap = rounded(mean) - rounded(best)
    text = f"best {best}, mean {mean}"
    side = "below" if larger_is_better else "above"
    if gap.high < 0.0:
        return Judgement(word="inconsistent", arithmetic=f"{text}: the best is {side} the mean")
    if not std or num_runs < 2:
        return Judgement(word="consistent", arithmetic=f"{text}: the best is not {side} the mean")
    spread, root = rounded_size(std), math.sqrt(num_runs - 1)
    smallest = math.sqrt((num_runs - 1) / num_runs)  # population std over sample std: a printed std may be either
    low, high = spread.low * smallest / root, spread.high * root
    implied = max(0.0, gap.low) / root
    text += (
        f", std {std}, n = {num_runs}: {max(0.0, gap.low):.3g} to {gap.high:.3g} apart, possible are {low:.3g} to "
        f"{high:.3g}; the std is at least {implied:.2g}"
    )
    slack = 1e-9 * max(high, gap.high)
    fits = gap.low <= high + slack and low <= gap.high + slack
    return Judgement(word="consistent" if fits else "inconsistent", arithmetic=text)
