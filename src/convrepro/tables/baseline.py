"""A row beside our own baseline: difference, surplus or ratio, once both are complete."""

from collections.abc import Sequence
from dataclasses import replace

from convrepro.statistics import ratio
from convrepro.tables.judging import subtract
from convrepro.tables.row import TIMES, Row


def beside_baseline(row: Row, rows: Sequence[Row], baseline: str) -> Row:
    """The row with what it has more than the one row of the baseline in the same place, if there is such a one."""
    if row.labels["conv"] == baseline:
        return row
    found = [other for other in rows if other.labels["conv"] == baseline and _place(other) == _place(row)]
    if len(found) != 1:
        return row
    base = found[0]
    if row.metric in TIMES and row.printed and base.printed:
        row = replace(row, printed_ratio=row.printed.value / base.printed.value)
    # A look before all runs are done would be a test of its own.
    if not (row.is_complete and base.is_complete):
        return row
    assert row.ours is not None
    assert base.ours is not None
    if row.is_exact:
        return replace(row, added=row.ours.mean - base.ours.mean)
    if row.n < 2 or base.n < 2:  # Welch's test needs two runs a side
        return row
    if row.metric in TIMES and min(row.ours.mean, base.ours.mean) > 0.0:
        row = replace(row, ratio=ratio(row.ours, base.ours))
    return replace(row, against_baseline=subtract(row.metric, row.ours, base.ours))


def _place(row: Row) -> dict[str, str]:
    """Metric and labels that say where an operator stands, without those that are its own."""
    axes = {label: value for label, value in row.labels.items() if label.partition(".")[0] != "conv"}
    return {**axes, "metric": row.metric}
