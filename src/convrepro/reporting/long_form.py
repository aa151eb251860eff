"""CSV in long form: one line per cell and metric, every number in full."""

import csv
import io
from collections.abc import Mapping, Sequence

from convrepro.reporting import neutral
from convrepro.reporting.presentation import label_names
from convrepro.statistics import Difference
from convrepro.tables import BuiltTable, Row

Field = str | int | float | bool | None


def render(built: BuiltTable) -> str:
    """The table as CSV. Texts that a spreadsheet would take for a formula begin with an apostrophe."""
    names = label_names(built.rows)
    lines = [_line(row, names, built.baseline) for row in built.rows]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if lines:
        writer.writerow(map(neutral.label, lines[0]))
    writer.writerows([_text(value) for value in line.values()] for line in lines)
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
