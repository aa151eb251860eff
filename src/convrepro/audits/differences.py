"""Is a claimed difference significant by the printed means, stds and numbers of runs?"""

from typing import Literal

from convrepro.audits.finding import Judgement, Word
from convrepro.audits.rounding import Interval, rounded
from convrepro.audits.student import Reading, Sample, df_range, p_range, readings, t_range

LEVEL = 0.05
Side = Literal["lower", "higher", ""]
Called = Literal["significant", "not significant", ""]


def significance(first: Sample, second: Sample, *, claimed: Side, called: Called) -> Judgement:
    """Welch's p over all values that round to the printed ones, for stds that divide by n - 1 and by n.

    Args:
        first: the side that the claim speaks of.
        second: the side that it is compared with.
        claimed: on which side of ``second`` the mean of ``first`` is said to lie; empty if it is not said.
        called: what the paper says of the difference's significance at 5 %, by whatever test; empty if nothing.

    Returns:
        ``inconsistent`` if the mean lies on the other side for certain, or what the paper calls the difference holds by
        no reading, pooled or Welch. Else ``consistent`` if Welch's p lies throughout on the side of 0.05 that the paper
        says, below if it says nothing; else ``cannot tell``.
    """
    text = f"{first.text} against {second.text}, n = {_runs(first, second)}"
    if _on_wrong_side(first.mean - second.mean, claimed):
        return Judgement(word="inconsistent", arithmetic=f"{text}: the mean is not {claimed}")
    by_ddof = {ddof: _p(first, second, Reading(ddof=ddof, test="Welch")) for ddof in (1, 0)}
    every = by_ddof[1].hull(by_ddof[0])
    text += f": Welch p {by_ddof[1]} (std by n - 1), {by_ddof[0]} (by n)"
    outcome = "depends on the reading"
    if every.high < LEVEL or every.low > LEVEL:
        outcome = "significant" if every.high < LEVEL else "not significant"
    text += f", {outcome}"
    by_any = [_p(first, second, reading) for reading in readings()]
    refuted = (called == "significant" and all(p.low > LEVEL for p in by_any)) or (
        called == "not significant" and all(p.high < LEVEL for p in by_any)
    )
    if refuted:
        return Judgement(word="inconsistent", arithmetic=f"{text}, but printed as {called}")
    word: Word = "consistent" if outcome == (called or "significant") else "cannot tell"
    return Judgement(word=word, arithmetic=text)


def side(first: str, second: str, claimed: Side) -> Judgement:
    """The same without stds: only the side of a claimed difference can be judged."""
    text = f"{first} against {second}, without stds"
    if _on_wrong_side(rounded(first) - rounded(second), claimed):
        return Judgement(word="inconsistent", arithmetic=f"{text}: not {claimed}")
    return Judgement(word="cannot tell", arithmetic=f"{text}: no significance")


def _on_wrong_side(gap: Interval, claimed: Side) -> bool:
    return (claimed == "lower" and gap.low > 0.0) or (claimed == "higher" and gap.high < 0.0)


def _p(first: Sample, second: Sample, reading: Reading) -> Interval:
    return p_range(t_range(first, second, reading), df_range(first, second, reading))


def _runs(first: Sample, second: Sample) -> str:
    return str(first.n) if first.n == second.n else f"{first.n} and {second.n}"
