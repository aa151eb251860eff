"""What papers print. Nothing that makes numbers may import this package."""

from convrepro.papers.paper import (
    SPREADS,
    Claim,
    Deviation,
    Paper,
    PrintedComparison,
    PrintedNumber,
    PrintedTable,
)
from convrepro.papers.reader import load, names

__all__ = [
    "SPREADS",
    "Claim",
    "Deviation",
    "Paper",
    "PrintedComparison",
    "PrintedNumber",
    "PrintedTable",
    "load",
    "names",
]
