"""Summaries of runs, differences with their intervals, and verdicts. Scalars only; no tensors."""

from convrepro.statistics.claims import Finding, alike, between, has_no_effect, has_ratio, higher, lower, rises, trend
from convrepro.statistics.comparison import (
    Difference,
    difference,
    equal_variances,
    half_width,
    one_sample,
    paired,
    ratio,
)
from convrepro.statistics.summary import Summary, sample_std, summarize
from convrepro.statistics.verdict import Circumstances, Verdict, judge_exact, judge_mean, seeds_to_decide

__all__ = [
    "Circumstances",
    "Difference",
    "Finding",
    "Summary",
    "Verdict",
    "alike",
    "between",
    "difference",
    "equal_variances",
    "half_width",
    "has_no_effect",
    "has_ratio",
    "higher",
    "judge_exact",
    "judge_mean",
    "lower",
    "one_sample",
    "paired",
    "ratio",
    "rises",
    "sample_std",
    "seeds_to_decide",
    "summarize",
    "trend",
]
