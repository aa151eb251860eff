"""Two operators at one kernel size, compared as a paper compares them, on our runs.

Tek et al. 2021 take the kernel size at which the best single run of both operators was reached (Sec. 4.3) and
compare the means there by a two-tailed t-test. Their printed p follow from their printed t by Student's
distribution with 8 degrees of freedom, so by the test of equal variances; Welch's stands beside it.
"""

from collections.abc import Mapping, Sequence

from convrepro.papers import Paper, PrintedComparison
from convrepro.statistics import Summary, difference, equal_variances
from convrepro.tables.judging import as_printed
from convrepro.tables.row import Comparison, Row
from convrepro.tables.values import best

SIZE = "model.kernel_size"
_PLACE = ("dataset", "model", "conv")


def compare_as_printed(
    table: str, rows: Sequence[Row], paper: Paper, replaced: Mapping[str, str]
) -> tuple[Comparison, ...]:
    """The comparisons that the paper prints of a table, in its order, of the cells that are there.

    Args:
        table: its name in ``configs/table``.
        rows: of the table.
        paper: that prints it.
        replaced: our data set -> the one it stands in for.
    """
    groups: dict[tuple[str, ...], list[PrintedComparison]] = {}
    chooses = {_pair(printed) for printed in paper.comparisons if printed.metric == "best_kernel_size"}
    for printed in paper.comparisons:
        if printed.table == table:
            sizes = () if _pair(printed) in chooses else (printed.labels[SIZE], printed.than[SIZE])
            groups.setdefault((*_pair(printed), *sizes), []).append(printed)
    of_metric = [row for row in rows if table in paper.tables and row.metric == paper.tables[table].metrics[0]]
    found = (_compare(group, of_metric, replaced) for group in groups.values())
    return tuple(comparison for comparison in found if comparison)


def _pair(printed: PrintedComparison) -> tuple[str, ...]:
    return (printed.table, *(printed.labels[label] for label in _PLACE), printed.than["conv"])


def _compare(group: Sequence[PrintedComparison], rows: Sequence[Row], replaced: Mapping[str, str]) -> Comparison | None:
    told = {printed.metric: printed.printed for printed in group}
    is_chosen, first = "best_kernel_size" in told, group[0]
    fixed = ("", "") if is_chosen else (first.labels[SIZE], first.than[SIZE])
    sides = [
        _sizes({label: value for label, value in labels.items() if not (is_chosen and label == SIZE)}, rows, replaced)
        for labels in (first.labels, first.than)
    ]
    if not all(sides):
        return None
    involved = [row for side in sides for row in side.values()]
    reason = _reason(involved)
    best_sizes = _best_sizes(sides, rows) if is_chosen and not reason else ()
    size, than_size = (best_sizes[0],) * 2 if best_sizes else fixed
    pair = None if reason else _summaries(sides, size, than_size)
    return Comparison(
        labels={label: involved[0].labels[label] for label in _PLACE},
        than=first.than["conv"],
        metric=involved[0].metric,
        num_runs=involved[0].num_seeds,
        size=size,
        than_size=than_size,
        best_by_mean={row.labels["conv"]: row.labels[SIZE] for row in map(_best_mean, sides)}
        if is_chosen and pair
        else {},
        printed_size=told.get("best_kernel_size", ""),
        printed_t=told.get("t_statistic", ""),
        printed_p=told.get("p_value", ""),
        student=equal_variances(*pair) if pair else None,
        welch=difference(*pair) if pair else None,
        reason=reason or ("" if pair else f"the grid has one of the two operators only at the size {size}"),
        tied=best_sizes if len(best_sizes) > 1 else (),
    )


def _sizes(labels: Mapping[str, str], rows: Sequence[Row], replaced: Mapping[str, str]) -> dict[str, Row]:
    """Kernel size -> row, of the rows of an operator; of one row where its size is given."""
    wanted = labels.items()
    return {
        row.labels[SIZE]: row
        for row in rows
        if SIZE in row.labels and wanted <= as_printed(row.labels, replaced).items()
    }


def _summaries(sides: Sequence[Mapping[str, Row]], size: str, than_size: str) -> tuple[Summary, Summary] | None:
    """Of both sides; None if the grid lacks one of them."""
    first, second = sides[0].get(size), sides[1].get(than_size)
    if first is None or second is None:
        return None
    assert first.ours is not None
    assert second.ours is not None
    return first.ours, second.ours


def _reason(rows: Sequence[Row]) -> str:
    """Why nothing is compared yet: a look in between would be a test of its own."""
    if missing := sum(not row.is_complete for row in rows):
        return f"{missing} of {len(rows)} cells incomplete"
    return "" if rows[0].num_seeds > 1 else "one run has no spread: a t-test needs two seeds or more"


def _best_sizes(sides: Sequence[Mapping[str, Row]], rows: Sequence[Row]) -> tuple[str, ...]:
    """The sizes at which either operator reaches the best single run of all, in the order of the grid."""
    involved = [row for side in sides for row in side.values()]
    record = best(involved[0].metric, [value for row in involved for value in row.values.values()])
    reached = {row.labels[SIZE] for row in involved if record in row.values.values()}
    grid = dict.fromkeys(row.labels[SIZE] for row in rows if row in involved)
    return tuple(size for size in grid if size in reached)


def _best_mean(side: Mapping[str, Row]) -> Row:
    rows = list(side.values())
    record = best(rows[0].metric, [row.ours.mean for row in rows if row.ours])
    return next(row for row in rows if row.ours and row.ours.mean == record)
