"""Summaries of runs, differences with their intervals, and verdicts. Scalars only; no tensors."""

from convrepro.statistics.claims import Finding, has_no_effect, lower, rises, trend
from convrepro.statistics.comparison import Difference, difference, half_width
from convrepro.statistics.summary import Summary, summarize
from convrepro.statistics.verdict import Circumstances, Verdict, judge_exact, judge_mean, seeds_to_decide

__all__ = [
    "Circumstances",
    "Difference",
    "Finding",
    "Summary",
    "Verdict",
    "difference",
    "half_width",
    "has_no_effect",
    "judge_exact",
    "judge_mean",
    "lower",
    "rises",
    "seeds_to_decide",
    "summarize",
    "trend",
]
