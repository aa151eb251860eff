"""Tables: a pure function of a grid, records and printed numbers."""

from convrepro.tables.build import build
from convrepro.tables.row import BuiltTable, Comparison, Cost, JudgedClaim, Row

__all__ = ["BuiltTable", "Comparison", "Cost", "JudgedClaim", "Row", "build"]
