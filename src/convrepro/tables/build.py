"""A table from a grid, records and printed numbers: a pure function of the three."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from convrepro.papers import Paper
from convrepro.records import Cell, Record, Table
from convrepro.statistics import Circumstances, summarize
from convrepro.tables.claims import judge_claims
from convrepro.tables.judging import as_printed, judge, notes, obstacles, stand_in, subtract, theirs
from convrepro.tables.remarks import remarks
from convrepro.tables.row import EXACT, BuiltTable, Cost, Row


def build(table: Table, records: Iterable[Record], paper: Paper | None) -> BuiltTable:
    """Builds a table.

    Records of other configurations, and of seeds that were not asked for, take no part: how many runs a mean
    has must not depend on what they gave.

    Args:
        table: grid and how it is judged.
        records: in any order.
        paper: what it prints; None if the table stands in none.

    Raises:
        ValueError: if two records are there of one cell and seed.
    """
    by_run = _by_run_and_seed(table, records)
    replaced = stand_in([cell.labels["dataset"] for cell in table.cells], paper, table.config)
    rows = [_row(table, cell, by_run[cell.run_id], paper, replaced) for cell in table.cells]
    rows = [_beside_baseline(row, rows, table.baseline) for row in rows]
    claims = [claim for claim in paper.claims if claim.table == table.config] if paper else []
    return BuiltTable(
        name=table.name,
        title=table.title,
        source=", ".join(filter(None, [paper.citation if paper else "", table.source])),
        baseline=table.baseline,
        rows=tuple(rows),
        claims=judge_claims(claims, rows, replaced),
        remarks=remarks(rows, paper),
        assumptions=table.assumptions,
    )


def _by_run_and_seed(table: Table, records: Iterable[Record]) -> Mapping[str, Mapping[int, Record]]:
    found: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in sorted(records, key=lambda record: (record.run_id, record.seed)):
        if record.seed in found[record.run_id]:
            raise ValueError(f"run {record.run_id} has two records of seed {record.seed}; keep one.")
        if 0 <= record.seed < table.num_seeds:
            found[record.run_id][record.seed] = record
    return found


def _row(
    table: Table, cell: Cell, records: Mapping[int, Record], paper: Paper | None, replaced: Mapping[str, str]
) -> Row:
    values, problems = _values(table, records)
    if table.num_seeds < 2 and table.metric not in EXACT:
        problems.append("one run has no spread: a verdict needs two seeds or more")
    ours = summarize(values.values()) if values else None
    printed = paper.printed(table.config, as_printed(cell.labels, replaced), table.metric) if paper else None
    scaled = cell.scaled or any(record.scaled for record in records.values())
    official_data = cell.official_data and all(record.official_data for record in records.values())
    given = Circumstances(
        num_seeds=table.num_seeds,
        problems=problems,
        obstacles=obstacles(
            scaled=scaled,
            official_data=official_data,
            selection=table.selection,
            printed=printed,
            labels=cell.labels,
            paper=paper,
        ),
        misprint=printed.misprint if printed else "",
    )
    verdict = judge(table.metric, ours, printed, margin=table.margin, given=given)
    return Row(
        table=table.name,
        labels=cell.labels,
        metric=table.metric,
        run_id=cell.run_id,
        selection=table.selection,
        scaled=scaled,
        official_data=official_data,
        values=values,
        num_seeds=table.num_seeds,
        margin=table.margin,
        ours=ours,
        cost=_cost(list(records.values())),
        printed=printed,
        difference=subtract(table.metric, ours, theirs(printed)),
        verdict=verdict,
        against_baseline=None,
        added=None,
        notes=(*notes(verdict, given), *_approximations(records)),
    )


def _values(table: Table, records: Mapping[int, Record]) -> tuple[dict[int, float], list[str]]:
    values, problems = {}, []
    for seed, record in records.items():
        if record.status == "diverged":
            problems.append(f"seed {seed} diverged: {record.reason or 'no reason is recorded'}")
            continue
        try:
            value = record.metric(table.metric, table.selection)
        except ValueError as error:
            problems.append(str(error).removesuffix("."))
            continue
        if math.isfinite(value):
            values[seed] = value
        else:
            problems.append(f"seed {seed}: {table.metric} is {value}")
    return values, problems


def _approximations(records: Mapping[int, Record]) -> list[str]:
    """Which seeds were not computed in plain float32."""
    seeds: dict[str, list[int]] = {}
    for seed, record in records.items():
        made = [str(record.environment.get("precision", "float32"))]
        made += ["torch.compile"] if record.environment.get("compiled") else []
        if made != ["float32"]:
            seeds.setdefault(" and ".join(made), []).append(seed)
    return [f"computed in {made}: seeds {', '.join(map(str, of))}" for made, of in seeds.items()]


def _cost(records: Sequence[Record]) -> Cost | None:
    if not records:
        return None
    timed = [  # a count takes no time, a diverged run not all of it
        record.measured for record in records if record.status == "done" and record.measured.get("wall_seconds")
    ]
    first = records[0]
    return Cost(
        num_parameters=first.num_parameters,
        num_macs=first.num_macs,
        num_operator_layers=first.num_operator_layers,
        wall_seconds=summarize(run["wall_seconds"] for run in timed).mean if timed else None,
    )


def _beside_baseline(row: Row, rows: Sequence[Row], baseline: str) -> Row:
    if row.labels["conv"] == baseline:
        return row
    found = [other for other in rows if other.labels["conv"] == baseline and _place(other) == _place(row)]
    # A look before all runs are done would be a test of its own.
    if len(found) != 1 or not (row.is_complete and found[0].is_complete):
        return row
    if row.is_exact:
        assert row.ours is not None
        assert found[0].ours is not None
        return replace(row, added=row.ours.mean - found[0].ours.mean)
    if row.n < 2 or found[0].n < 2:  # Welch's test needs two runs a side
        return row
    return replace(row, against_baseline=subtract(row.metric, row.ours, found[0].ours))


def _place(row: Row) -> dict[str, str]:
    """The labels that say where an operator stands, without those that are its own."""
    return {label: value for label, value in row.labels.items() if label.partition(".")[0] != "conv"}
