"""A table from a grid, records and printed numbers: a pure function of the three."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from convrepro.papers import Paper
from convrepro.records import Cell, Record, Table
from convrepro.statistics import Circumstances, summarize
from convrepro.tables.baseline import beside_baseline
from convrepro.tables.claims import judge_claims
from convrepro.tables.comparisons import compare_as_printed
from convrepro.tables.judging import against_paper, as_printed, judge, notes, obstacles, stand_in
from convrepro.tables.remarks import remarks
from convrepro.tables.row import EXACT, LOSS_OF_ACCURACY, BuiltTable, Cost, Row
from convrepro.tables.values import Records, best, content_problems, optimism, rule_of, seeds_by_content, values_of


def build(table: Table, records: Iterable[Record], paper: Paper | None) -> BuiltTable:
    """Builds a table, one metric after the other.

    Records of other configurations, and of seeds that were not asked for, take no part: how many runs a mean
    has must not depend on what they gave.

    Args:
        table: grid and how it is judged.
        records: in any order.
        paper: what it prints; None if the table stands in none.

    Raises:
        ValueError: if two records are there of one cell and seed, or the table's reference is not one of its cells.
    """
    by_run = _by_run_and_seed(table, records)
    replaced = table.replaced or stand_in([cell.labels["dataset"] for cell in table.cells], paper, table.config)
    reference = _reference(table, replaced)
    contents = _contents(table, by_run)
    metrics = dict.fromkeys(metric for cell in table.cells for metric in _metrics(table, cell))
    rows = [
        _row(table, cell, metric, by_run, contents, reference, paper, replaced)
        for metric in metrics
        for cell in table.cells
        if metric in _metrics(table, cell)
    ]
    rows = [beside_baseline(row, rows, table.baseline) for row in rows]
    claims = [claim for claim in paper.claims if claim.table == table.config] if paper else []
    comparisons = compare_as_printed(table.config, rows, paper, replaced) if paper else ()
    return BuiltTable(
        name=table.name,
        title=table.title,
        source=", ".join(filter(None, [paper.citation if paper else "", table.source])),
        baseline=table.baseline,
        rows=tuple(rows),
        claims=judge_claims(claims, rows, replaced),
        remarks=remarks(rows, paper, comparisons),
        assumptions=table.assumptions,
        comparisons=comparisons,
    )


def _by_run_and_seed(table: Table, records: Iterable[Record]) -> Mapping[str, Records]:
    found: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in sorted(records, key=lambda record: (record.run_id, record.seed)):
        if record.seed in found[record.run_id]:
            raise ValueError(f"run {record.run_id} has two records of seed {record.seed}; keep one.")
        if 0 <= record.seed < table.num_seeds:
            found[record.run_id][record.seed] = record
    return found


def _contents(table: Table, by_run: Mapping[str, Records]) -> Mapping[str, Counter[str]]:
    """Data set -> checksum of images that were read as it -> number of runs, over all cells."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for cell in table.cells:
        for sha256, seeds in seeds_by_content(by_run[cell.run_id]).items():
            found[cell.labels["dataset"]][sha256] += len(seeds)
    return found


def _metrics(table: Table, cell: Cell) -> tuple[str, ...]:
    return cell.metrics or (table.metric,)


def _reference(table: Table, replaced: Mapping[str, str]) -> Cell | None:
    """The cell that ``accuracy_loss`` is counted from; None if the table has none."""
    if not table.reference:
        return None
    found = [
        cell
        for cell in table.cells
        if LOSS_OF_ACCURACY in _metrics(table, cell)
        and any(
            table.reference.items() <= labels.items() for labels in (cell.labels, as_printed(cell.labels, replaced))
        )
    ]
    if len(found) != 1:
        raise ValueError(
            f"`reference` of {table.config} must be one cell with an {LOSS_OF_ACCURACY}, got {len(found)}."
        )
    return found[0]


def _row(
    table: Table,
    cell: Cell,
    metric: str,
    by_run: Mapping[str, Records],
    contents: Mapping[str, Mapping[str, int]],
    reference: Cell | None,
    paper: Paper | None,
    replaced: Mapping[str, str],
) -> Row:
    records = by_run[cell.run_id]
    values, problems = values_of(metric, table.selection, records, by_run[reference.run_id] if reference else None)
    dataset = cell.labels["dataset"]
    mixed_images = content_problems(records, dataset, contents[dataset])
    problems += mixed_images
    if table.num_seeds < 2 and metric not in EXACT:
        problems.append("one run has no spread: a verdict needs two seeds or more")
    margin = table.margin if cell.margin is None else cell.margin
    ours = summarize(values.values()) if values else None
    printed = paper.printed(table.config, as_printed(cell.labels, replaced), metric) if paper else None
    rule = rule_of(metric, table.selection)
    is_reference = cell is reference and metric == LOSS_OF_ACCURACY
    scaled = cell.scaled or any(record.scaled for record in records.values())
    official_data = cell.official_data and all(record.official_data for record in records.values())
    given = Circumstances(
        num_seeds=table.num_seeds,
        problems=problems,
        obstacles=(
            *(["the others' losses are counted from here"] if is_reference else []),
            *obstacles(
                metric=metric,
                scaled=scaled,
                official_data=official_data,
                selection=rule,
                printed=printed,
                labels=cell.labels,
                paper=paper,
            ),
        ),
        misprint=printed.misprint if printed else "",
    )
    verdict = judge(metric, ours, printed, margin=margin, given=given)
    honest, flattery = optimism(metric, table.selection, records)
    return Row(
        table=table.name,
        labels=cell.labels,
        metric=metric,
        run_id=cell.run_id,
        selection=rule,
        scaled=scaled,
        official_data=official_data,
        values=values,
        num_seeds=table.num_seeds,
        margin=margin,
        ours=ours,
        cost=_cost(list(records.values())),
        printed=printed,
        difference=None if is_reference else against_paper(metric, ours, printed),
        verdict=verdict,
        against_baseline=None,
        added=None,
        notes=(*notes(verdict, given), *_approximations(records)),
        best=best(metric, list(values.values())) if printed and printed.printed_best else None,
        best_on_validation=honest,
        optimism=flattery,
        same_images=not mixed_images,
    )


def _approximations(records: Records) -> list[str]:
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
