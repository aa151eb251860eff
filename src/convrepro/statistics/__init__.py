"""Summaries of runs, differences with their intervals, and verdicts. Scalars only; no tensors."""

from convrepro.statistics.claims import Finding, alike, has_no_effect, higher, lower, rises, trend
from convrepro.statistics.comparison import Difference, difference, equal_variances, half_width, one_sample, ratio
from convrepro.statistics.summary import Summary, sample_std, summarize
from convrepro.statistics.verdict import Circumstances, Verdict, judge_exact, judge_mean, seeds_to_decide

__all__ = [
    "Circumstances",
    "Difference",
    "Finding",
    "Summary",
    "Verdict",
    "alike",
    "difference",
    "equal_variances",
    "half_width",
    "has_no_effect",
    "higher",
    "judge_exact",
    "judge_mean",
    "lower",
    "one_sample",
    "ratio",
    "rises",
    "sample_std",
    "seeds_to_decide",
    "summarize",
    "trend",
]
