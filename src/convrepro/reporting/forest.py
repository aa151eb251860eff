"""Where a forest plot's marks lie: one axis for all rows of a metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from convrepro.statistics.verdict import WITHIN_LEVEL
from convrepro.tables import Row


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Positions in [0, 1] along the axis; zero lies at 0.5."""

    estimate: float
    interval: tuple[float, float]  # 95 %
    inner: tuple[float, float]  # 90 %, which the margin is compared with
    margin: tuple[float, float]


def marks(rows: Sequence[Row]) -> list[Marks | None]:
    """Marks of each row; None where no difference has been computed. Zero is in the middle."""
    reaches = {metric: reach(rows, metric) for metric in {row.metric for row in rows}}
    return [_marks(row, reaches[row.metric]) for row in rows]


def reach(rows: Sequence[Row], metric: str) -> float:
    """The difference at the right end of the axis of a metric."""
    return max((_reach(row) for row in rows if row.metric == metric), default=0.0)


def _reach(row: Row) -> float:
    if row.difference is None:
        return 0.0
    return 1.05 * max(*map(abs, row.difference.interval()), row.margin)


def _marks(row: Row, reach: float) -> Marks | None:
    if row.difference is None or reach == 0.0:
        return None

    def place(value: float) -> float:
        return 0.5 + value / (2.0 * reach)

    low, high = row.difference.interval()
    inner_low, inner_high = row.difference.interval(WITHIN_LEVEL)
    return Marks(
        estimate=place(row.difference.estimate),
        interval=(place(low), place(high)),
        inner=(place(inner_low), place(inner_high)),
        margin=(place(-row.margin), place(row.margin)),
    )
