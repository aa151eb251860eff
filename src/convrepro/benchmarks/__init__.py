"""Measurements of speed and memory, each with its goal."""

from convrepro.benchmarks.operators import Comparison, comparisons
from convrepro.benchmarks.row import Goal, Row
from convrepro.benchmarks.sections import SECTIONS, prepared
from convrepro.benchmarks.timing import Ratio, interleaved

__all__ = ["SECTIONS", "Comparison", "Goal", "Ratio", "Row", "comparisons", "interleaved", "prepared"]
