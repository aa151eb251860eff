"""CSV in long form: one line per cell and metric, then one per number of a comparison, every number in full."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from convrepro.reporting import neutral
from convrepro.reporting.presentation import label_names
from convrepro.statistics import Difference, one_sample
from convrepro.tables import BuiltTable, Comparison, Row
from convrepro.tables.comparisons import SIZE

Field = str | int | float | bool | None
_RARE = (
    *(
        "best",
        "printed_best",
        "best_on_validation",
        "best_on_validation_std",
        "optimism",
        "optimism_low",
        "optimism_high",
    ),
    *("ratio", "ratio_low", "ratio_high", "printed_ratio"),
)


def render(built: BuiltTable) -> str:
    """The table as CSV. Texts that a spreadsheet would take for a formula begin with an apostrophe.

    Columns that few tables need are there where some line has them. A line with ``than`` is a number of two cells.
    """
    names = label_names(built.rows)
    lines: list[Mapping[str, Field]] = [{**_line(row, names, built.baseline), **_rare(row)} for row in built.rows]
    lines += [line for one in built.comparisons for line in _compared(one, built.name)]
    columns = [
        column
        for column in dict.fromkeys(column for line in lines for column in line)
        if column not in _RARE or any(line.get(column) is not None for line in lines)
    ]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if lines:
        writer.writerow(map(neutral.label, columns))
    writer.writerows([_text(line.get(column)) for column in columns] for line in lines)
    return file.getvalue()


def _line(row: Row, names: Sequence[str], baseline: str) -> Mapping[str, Field]:
    printed, cost = row.printed, row.cost
    return {
        "table": row.table,
        **{name: row.labels.get(name, "") for name in names},
        "metric": row.metric,
        "n": row.n,
        "num_seeds": row.num_seeds,
        "mean": row.ours.mean if row.ours else None,
        "std": row.ours.std if row.ours else None,
        "values": " ".join(f"{seed}:{value!r}" for seed, value in sorted(row.values.items())),
        "printed": printed.printed if printed else None,
        "printed_spread": printed.printed_spread if printed else None,
        "spread_kind": printed.spread_kind if printed else None,
        "printed_runs": printed.num_runs if printed else None,
        "printed_unit": printed.unit if printed else None,
        "margin": row.margin,
        **_interval("difference", row.difference),
        "method": row.difference.method if row.difference else None,
        "verdict": row.verdict.word,
        "reason": row.verdict.reason,
        "baseline": baseline,
        **_interval("against_baseline", row.against_baseline),
        **({} if row.added is None else {"against_baseline": row.added}),
        "num_parameters": cost.num_parameters if cost else None,
        "num_macs": cost.num_macs if cost else None,
        "num_operator_layers": cost.num_operator_layers if cost else None,
        "wall_seconds": cost.wall_seconds if cost else None,
        "selection": row.selection,
        "scaled": row.scaled,
        "official_data": row.official_data,
        "run_id": row.run_id,
    }


def _rare(row: Row) -> Mapping[str, Field]:
    """What only some tables have."""
    honest, optimism = row.best_on_validation, row.optimism
    values: tuple[Field, ...] = (
        *(row.best, (row.printed.printed_best or None) if row.printed else None),
        *((honest.mean, honest.std) if honest else (None, None)),
        optimism.mean if optimism else None,
        *(one_sample(optimism).interval() if optimism and optimism.std is not None else (None, None)),
        *((row.ratio.estimate, *row.ratio.interval()) if row.ratio else (None, None, None)),
        row.printed_ratio,
    )
    return dict(zip(_RARE, values, strict=True))


def _compared(one: Comparison, table: str) -> Iterator[Mapping[str, Field]]:
    """A line for each number of two cells; its labels are those of the first, ``than`` is the second."""
    said: dict[str, Field] = {
        "table": table,
        **one.labels,
        SIZE: one.size,
        "than": f"{one.than} {SIZE}={one.than_size}" if one.than_size else one.than,
        "num_seeds": one.num_runs,
        "reason": one.reason,
    }
    student, welch = one.student, one.welch
    numbers: dict[str, tuple[Field, str]] = {
        "best_kernel_size": (" or ".join(one.tied or (one.size,)) if one.printed_size else None, one.printed_size),
        **{f"best_kernel_size_by_mean.{conv}": (size, "") for conv, size in one.best_by_mean.items()},
        "t_statistic": (student.t_statistic if student else None, one.printed_t),
        "p_value": (student.p_value if student else None, one.printed_p),
        "welch_t_statistic": (welch.t_statistic if welch else None, ""),
        "welch_p_value": (welch.p_value if welch else None, ""),
    }
    for metric, (ours, printed) in numbers.items():
        if printed or ours is not None:
            yield {**said, "metric": metric, "mean": ours, "printed": printed or None}


def _interval(name: str, difference: Difference | None) -> dict[str, Field]:
    low, high = difference.interval() if difference else (None, None)
    return {
        name: difference.estimate if difference else None,
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_p": difference.p_value if difference else None,
    }


def _text(value: Field) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return neutral.label(value) if isinstance(value, str) else repr(value)
