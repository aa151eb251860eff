"""Sentences of a paper, tested on our own runs.

``holds`` and ``contradicted`` need a 95 % interval that lies on one side of zero; "no effect" needs a 90 %
interval within a margin, as a cell's ``reproduced`` does, for the absence of significance is no evidence of
absence. Each sentence is tested by itself: nothing is corrected for their number.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from convrepro.statistics.comparison import Difference, difference, ratio
from convrepro.statistics.summary import Summary, summarize
from convrepro.statistics.verdict import APART_LEVEL, WITHIN_LEVEL, decide

ClaimWord = Literal["holds", "contradicted", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What our runs say of a claim; the difference is None where they do not suffice to compute one."""

    word: ClaimWord
    reason: str
    difference: Difference | None = None


def lower(found: Difference | None) -> Finding:
    """Claim that the first has a lower value than the second, by their difference's interval at 95 %."""
    return _sign_is(-1, found) if found else Finding(word="undecided", reason=_TOO_FEW_RUNS)


def higher(found: Difference | None) -> Finding:
    """Claim that the first has a higher value than the second, by their difference's interval at 95 %."""
    return _sign_is(+1, found) if found else Finding(word="undecided", reason=_TOO_FEW_RUNS)


def alike(found: Difference | None, *, margin: float) -> Finding:
    """Claim that two values differ by less than the margin, by their difference's interval at 90 %."""
    return _is_within(margin, found) if found else Finding(word="undecided", reason=_TOO_FEW_RUNS)


def has_ratio(ours: Summary | None, reference: Summary | None, *, low: float, high: float) -> Finding:
    """Claim that the first is ``low`` to ``high`` times the second.

    It holds if the ratio's 90 % interval lies within both bounds, and is contradicted if its 95 % interval lies
    outside of them.
    """
    if not (_is_known(ours) and _is_known(reference)):
        return Finding(word="undecided", reason=_TOO_FEW_RUNS)
    assert ours is not None
    assert reference is not None
    if not min(ours.mean, reference.mean) > 0.0:
        return Finding(word="undecided", reason="a ratio needs positive means")
    found = ratio(ours, reference)
    within, apart = found.interval(WITHIN_LEVEL), found.interval(APART_LEVEL)
    word: ClaimWord = "undecided"
    if low <= within[0] and within[1] <= high:
        word = "holds"
    elif apart[1] < low or high < apart[0]:
        word = "contradicted"
    level, bounds = (APART_LEVEL, apart) if word == "contradicted" else (WITHIN_LEVEL, within)
    reason = f"ratio {found.estimate:.3f}, {100 * level:.0f} % interval [{bounds[0]:.3f}, {bounds[1]:.3f}]"
    return Finding(word=word, reason=reason, difference=found)


def between(ours: Summary | None, reference: Summary | None) -> Difference | None:
    """The first minus the second, of independent runs; None if one of them has too few."""
    if not (_is_known(ours) and _is_known(reference)):
        return None
    assert ours is not None
    assert reference is not None
    return difference(ours, reference)


def rises(series: Iterable[Sequence[tuple[float, float]]]) -> Finding:
    """Claim that the value rises with the axis, by the slope's interval at 95 %.

    Args:
        series: per group of otherwise equal cells, the (axis value, result) of every run.
    """
    found = trend(series)
    if found is None:
        return Finding(word="undecided", reason=_TOO_FEW)
    return _sign_is(+1, found)


def has_no_effect(series: Iterable[Sequence[tuple[float, float]]], *, margin: float) -> Finding:
    """Claim that the axis has no effect: the linear one over its whole range lies within the margin.

    A slope sees linear effects only; a value that falls and rises again passes.
    """
    found = trend(series)
    return _is_within(margin, found) if found else Finding(word="undecided", reason=_TOO_FEW)


def trend(series: Iterable[Sequence[tuple[float, float]]]) -> Difference | None:
    """Difference between both ends of an axis by least squares; None if too few axis values or runs.

    One slope, and an intercept for each group, so that what else differs between groups takes no part in it.
    """
    groups = [group for group in map(list, series) if group]
    xs = [x for group in groups for x, _ in group]
    if not all(math.isfinite(number) for group in groups for pair in group for number in pair):
        return None
    centred = [pair for group in groups for pair in _centred(group)]
    sum_xx = math.fsum(x * x for x, _ in centred)
    degrees_of_freedom = len(centred) - len(groups) - 1
    if degrees_of_freedom < 1 or sum_xx == 0.0:
        return None
    slope = math.fsum(x * y for x, y in centred) / sum_xx
    residual = math.fsum((y - slope * x) ** 2 for x, y in centred)
    span = max(xs) - min(xs)
    standard_error = span * math.sqrt(residual / degrees_of_freedom / sum_xx)
    return Difference(
        estimate=slope * span,
        standard_error=standard_error,
        degrees_of_freedom=float(degrees_of_freedom) if standard_error else math.inf,
        method="least squares",
    )


_TOO_FEW = "needs runs at two axis values or more"
_TOO_FEW_RUNS = "needs two finite runs or more on each side, of the same seeds where they are pairs"


def _is_known(summary: Summary | None) -> bool:
    return summary is not None and summary.n >= 2 and summary.is_finite


def _centred(group: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    mean_x = summarize(x for x, _ in group).mean
    mean_y = summarize(y for _, y in group).mean
    return [(x - mean_x, y - mean_y) for x, y in group]


def _sign_is(sign: int, found: Difference) -> Finding:
    low, high = sorted(sign * bound for bound in found.interval(APART_LEVEL))
    word: ClaimWord = "holds" if low > 0.0 else "contradicted" if high < 0.0 else "undecided"
    return Finding(word=word, reason=_text(found, APART_LEVEL), difference=found)


def _is_within(margin: float, found: Difference) -> Finding:
    word: ClaimWord
    match decide(found, margin=margin):
        case "reproduced":
            word, level = "holds", WITHIN_LEVEL
        case "differs":
            word, level = "contradicted", APART_LEVEL
        case _:
            word, level = "undecided", WITHIN_LEVEL
    return Finding(word=word, reason=f"{_text(found, level)}, margin {margin:g}", difference=found)


def _text(found: Difference, level: float) -> str:
    low, high = found.interval(level)
    note = ", paired by seed" if found.method == "one sample" else ""
    note += ", no spread" if found.is_degenerate else ""
    return f"{found.estimate:+.3g}, {level:.0%} interval [{low:+.3g}, {high:+.3g}]{note}".replace("%", " %")
