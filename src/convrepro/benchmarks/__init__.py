"""Measurements of speed, as ratios within one process."""

from convrepro.benchmarks.operators import Comparison, comparisons
from convrepro.benchmarks.timing import Ratio, interleaved

__all__ = ["Comparison", "Ratio", "comparisons", "interleaved"]
