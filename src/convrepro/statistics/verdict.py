"""One word on one cell: does our result agree with the printed one?

- ``reproduced``: the 90 % interval of the difference lies within the margin (two one-sided tests at 5 %); for
  an exact value, such as a count, equality at the printed precision.
- ``differs``: the 95 % interval excludes zero, and ``reproduced`` does not hold.
- ``inconclusive``: neither.
- ``incomplete``: seeds are missing, diverged or not finite. Fewer than two runs never pass.
- ``not comparable``: scaled protocol, other data, other selection rule.
- ``misprint``: the paper contradicts itself.
- ``no printed value``: there is nothing to compare with.

A printed mean is rounded to half a unit of its last digit. No interval is widened for that; instead
``reproduced`` and ``differs`` must hold for every mean that rounds to the printed one, and where they do not,
the reason says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from convrepro.statistics.comparison import Difference, difference
from convrepro.statistics.summary import Summary

Decision = Literal["reproduced", "differs", "inconclusive"]
Word = Literal[Decision, "incomplete", "not comparable", "misprint", "no printed value"]
WITHIN_LEVEL, APART_LEVEL = 0.90, 0.95
MOST_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    word: Word
    reason: str


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What stands between two numbers and a statistical comparison of them.

    Args:
        num_seeds: how many runs were asked for.
        problems: what became of runs that left no number, such as "seed 3 diverged".
        obstacles: why the numbers must not be compared.
        misprint: how the paper contradicts itself; empty if it does not.
    """

    num_seeds: int
    problems: Sequence[str] = ()
    obstacles: Sequence[str] = ()
    misprint: str = ""


def judge_mean(
    ours: Summary | None, theirs: Summary | None, *, margin: float, rounding: float, given: Circumstances
) -> Verdict:
    """Verdict on a mean over seeds.

    Args:
        ours: our runs; None if there are none.
        theirs: the paper's; None if it prints no such value.
        margin: half-width within which two means count as equal, in the metric's unit.
        rounding: half a unit of the printed mean's last digit, in the metric's unit.
        given: what speaks against comparing.

    Raises:
        ValueError: if ``margin`` or ``rounding`` is negative or not finite.
    """
    for name, value in (("margin", margin), ("rounding", rounding)):
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"`{name}` must be finite and not negative, got {value}.")
    if verdict := _without_comparing(ours, theirs is not None, given, fewest=2):
        return verdict
    assert ours is not None
    assert theirs is not None
    return _explain(ours, theirs, margin, rounding)


def judge_exact(ours: Summary | None, printed: float | None, *, half_unit: float, given: Circumstances) -> Verdict:
    """Verdict on a value that no chance has a part in; it must round to the printed one. A tie rounds either way.

    Args:
        ours: the value in our runs, which must all agree; one run is enough.
        printed: the paper's; None if it prints none.
        half_unit: half a unit of the printed last digit, in the metric's unit.
        given: what speaks against comparing.
    """
    if verdict := _without_comparing(ours, printed is not None, given, fewest=1):
        return verdict
    assert ours is not None
    assert printed is not None
    if ours.std:
        return Verdict(word="differs", reason=f"the runs disagree among themselves, deviation {_digits(ours.std)}")
    # The printed value is a short decimal: a billionth of its half unit absorbs the binary rounding of a tie.
    if abs(ours.mean - printed) <= half_unit * (1 + 1e-9):
        return Verdict(word="reproduced", reason="equal at the printed precision")
    return Verdict(word="differs", reason=f"{_digits(ours.mean)} does not round to the printed {_digits(printed)}")


def decide(difference: Difference, *, margin: float, rounding: float = 0.0) -> Decision:
    """The three words of a comparison; they must hold for every shift by at most ``rounding``."""
    if _furthest(difference.interval(WITHIN_LEVEL)) + rounding <= margin:
        return "reproduced"
    low, high = difference.interval(APART_LEVEL)
    if low - rounding > 0.0 or high + rounding < 0.0:
        return "differs"
    return "inconclusive"


def seeds_to_decide(ours: Summary, theirs: Summary, *, margin: float, rounding: float = 0.0) -> int | None:
    """How many more seeds would decide, if mean and deviation stayed what they are; None if more than 1000.

    The paper's runs stay as few as they are: their spread alone can keep a cell open for ever.
    """
    for more in range(1, MOST_SEEDS + 1):
        grown = replace(ours, n=ours.n + more)
        if decide(difference(grown, theirs), margin=margin, rounding=rounding) != "inconclusive":
            return more
    return None


def _without_comparing(ours: Summary | None, is_printed: bool, given: Circumstances, *, fewest: int) -> Verdict | None:
    if given.misprint:
        return Verdict(word="misprint", reason=given.misprint)
    gaps = _gaps(ours, given, fewest)
    if is_printed and given.obstacles and ours is not None:
        return Verdict(word="not comparable", reason="; ".join([*given.obstacles, *gaps]))
    if gaps:
        return Verdict(word="incomplete", reason="; ".join(gaps))
    if not is_printed:
        return Verdict(word="no printed value", reason="")
    return None


def _gaps(ours: Summary | None, given: Circumstances, fewest: int) -> list[str]:
    n = ours.n if ours else 0
    gaps = []
    if n < given.num_seeds:
        gaps.append(f"n={n}/{given.num_seeds}")
    elif n < fewest:
        gaps.append(f"n={n}; a mean needs at least {fewest} runs")
    gaps += given.problems
    if ours and not ours.is_finite:
        gaps.append("not finite")
    return gaps


def _explain(ours: Summary, theirs: Summary, margin: float, rounding: float) -> Verdict:
    found = difference(ours, theirs)
    if found.is_degenerate and found.method == "prediction":
        return Verdict(word="inconclusive", reason="no spread on either side to judge by")
    word = decide(found, margin=margin, rounding=rounding)
    if word == "reproduced":
        reason = f"90 % interval {_text(found.interval(WITHIN_LEVEL))} within the margin {margin:g}"
        if decide(found, margin=0.0, rounding=rounding) == "differs":
            reason += f", though the 95 % interval {_text(found.interval(APART_LEVEL))} excludes zero"
    elif word == "differs":
        reason = f"95 % interval {_text(found.interval(APART_LEVEL))} excludes zero"
    else:
        reason = _outlook(seeds_to_decide(ours, theirs, margin=margin, rounding=rounding))
        if decide(found, margin=margin) != "inconclusive":
            reason += "; it hangs on the rounding of the printed value"
    if found.is_degenerate:
        reason += "; no spread on either side, so the interval is a point"
    return Verdict(word=word, reason=reason)


def _outlook(more: int | None) -> str:
    if more is None:
        return f"more than {MOST_SEEDS} more seeds would be needed, given the other side's spread"
    return f"{more} more seed{'s' if more > 1 else ''} would decide, if mean and deviation stay as they are"


def _digits(value: float) -> str:
    """A whole number in full, another one to six digits."""
    return f"{value:,.0f}" if value == round(value) else f"{value:.6g}"


def _furthest(interval: tuple[float, float]) -> float:
    return max(map(abs, interval))


def _text(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:+.3g}, {interval[1]:+.3g}]"
