"""One line of the benchmarks: what was measured, its goal, and whether it is met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convrepro.benchmarks.timing import Spread, spread_of

MET, MISSED, UNDECIDED = "met", "MISSED", "undecided"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound that a median should keep; one of the two is given.

    Args:
        least, most: in the unit of what is measured.
    """

    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        assert (self.least is None) != (self.most is None)

    def word(self, spread: Spread) -> str:
        """``met`` by the median; ``MISSED`` where even the better quartile misses it; else ``undecided``."""
        if self.most is not None:
            is_met, is_near = spread.median <= self.most, spread.low <= self.most
        else:
            assert self.least is not None
            is_met, is_near = spread.median >= self.least, spread.high >= self.least
        return MET if is_met else UNDECIDED if is_near else MISSED


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured quantity.

    Args:
        what: in words.
        unit: ``x`` for a ratio, ``s``, ``MiB``.
        values: one for each round.
        goal: None where there is none.
        detail: what else a reader wants to know.
        samples: what the values were computed from, by name with the unit.
    """

    what: str
    unit: str
    values: Sequence[float]
    goal: Goal | None = None
    detail: str = ""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def spread(self) -> Spread:
        return spread_of(self.values)

    @property
    def verdict(self) -> str:
        """The goal's word; empty if there is no goal."""
        return "" if self.goal is None else self.goal.word(self.spread)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        spread, goal = self.spread, self.goal
        return {
            "what": self.what,
            "unit": self.unit,
            "median": spread.median,
            "low_quartile": spread.low,
            "high_quartile": spread.high,
            "goal": None if goal is None else {"least": goal.least, "most": goal.most},
            "verdict": self.verdict,
            "detail": self.detail,
            "values": list(self.values),
            "samples": {name: list(values) for name, values in self.samples.items()},
        }
