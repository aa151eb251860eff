"""A user's own numbers beside the papers' printed ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from convrepro import config_files, papers
from convrepro.papers import Paper
from convrepro.records import SELECTION_RULES
from convrepro.reporting import user_csv
from convrepro.reporting.user_csv import Line
from convrepro.statistics import Circumstances, Summary, summarize
from convrepro.tables import BuiltTable, Row
from convrepro.tables.judging import against_paper, as_printed, judge, notes, obstacles, stand_in
from convrepro.tables.remarks import remarks
from convrepro.tables.row import COUNTS, LOSS_OF_ACCURACY

_LABELS = ("dataset", "model", "conv")
_Key = tuple[str, ...]


def compare(csv_path: Path) -> BuiltTable:
    """Compares a CSV file with what the papers print.

    The columns ``table, dataset, model, conv, metric`` say what a line speaks of, further ones such as
    ``conv.points`` belong to them. A result is one line per run (``value``, perhaps ``seed``) or one per cell
    (``mean, std, n``; sample standard deviation), percentages in percent. The columns ``num_seeds, scaled,
    official_data, selection, values`` of this project's own tables are understood; others are passed over, and so are
    lines with a ``than``, which compare two cells.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line has a defect; names file and line.
    """
    lines = [line for line in user_csv.read(csv_path, ("table", *_LABELS, "metric")) if not line.fields.get("than")]
    if not lines:
        raise ValueError(f"{csv_path} has no line with a number of one cell.")
    known = {config: paper for paper in map(papers.load, papers.names()) for config in paper.tables}
    groups: dict[_Key, list[Line]] = {}
    for line in lines:
        groups.setdefault(_key(line, known), []).append(line)
    is_per_run = _is_per_run(lines[0])
    rows = [_row(group, known, _runs(group) if is_per_run else _one(group)) for group in groups.values()]
    by_paper: dict[str, list[Row]] = {}
    for row in rows:
        by_paper.setdefault(known[row.config].name if row.config in known else "", []).append(row)
    sentences = [
        sentence
        for name, its_rows in by_paper.items()
        for sentence in remarks(its_rows, papers.load(name) if name else None)
    ]
    return BuiltTable(
        name=csv_path.stem,
        title=f"{csv_path.name} beside the printed numbers",
        source="; ".join(dict.fromkeys(known[row.config].citation for row in rows if row.config in known)),
        baseline="",
        rows=tuple(rows),
        claims=(),
        remarks=tuple(dict.fromkeys(sentences)),
        assumptions=(),
    )


def _labels(line: Line) -> dict[str, str]:
    axes = {name: value for name, value in line.fields.items() if name.partition(".")[0] in _LABELS and value}
    return {label: line.text(label) for label in _LABELS} | axes


def _key(line: Line, known: Mapping[str, Paper]) -> _Key:
    """What a line speaks of, once all of it is known to exist."""
    table = line.text("table").partition(".")[0]
    line.check_name(table, {*known, *config_files.names("table")}, kind="table")
    paper = known.get(table)
    for label in _LABELS:
        printed = paper.printed_labels(table, label) if paper else []
        line.check_name(line.text(label), {*config_files.names(label), *printed}, kind=label)
    if paper:
        line.check_name(line.text("metric"), paper.tables[table].metrics, kind=f"metric of {table}")
    if line.fields.get("selection"):
        line.check_name(line.fields["selection"], SELECTION_RULES, kind="selection")
    return (
        line.text("table"),
        line.text("metric"),
        *(f"{name}={value}" for name, value in _labels(line).items()),
    )


def _is_per_run(line: Line) -> bool:
    has_value, has_summary = "value" in line.fields, {"mean", "std", "n"} <= line.fields.keys()
    if has_value == has_summary:
        problem = "both" if has_value else str(list(line.fields))
        raise ValueError(f"{line.path}:1: the columns must be either `value` or `mean, std, n`, got {problem}.")
    return has_value


def _runs(group: Sequence[Line]) -> tuple[Summary, dict[int, float]]:
    """The runs of a cell, one per line."""
    values: dict[int, float] = {}
    lines: dict[int, int] = {}
    for index, line in enumerate(group):
        seed = line.integer("seed") if "seed" in line.fields else index
        if seed in lines:
            raise line.error(f"seed {seed} of this cell stands already in line {lines[seed]}.")
        lines[seed] = line.number
        values[seed] = _value(line, "value")
    return summarize(values.values()), values


def _one(group: Sequence[Line]) -> tuple[Summary | None, dict[int, float]]:
    """The summary of a cell, which is one line."""
    line, *others = group
    if others:
        raise others[0].error(f"this cell stands already in line {line.number}.")
    n = line.integer("n")
    for column, fewest in (("mean", 1), ("std", 2)):
        if n < fewest and line.fields[column]:
            raise line.error(f"`{column}` must be empty where `n` is {n}, got {line.fields[column]!r}.")
    values = _values(line)
    if n == 0:
        return None, {}
    std = line.number_in("std", low=0.0, high=_highest(line)) if n > 1 else None
    summary = Summary(n=n, mean=_value(line, "mean"), std=std)
    if values and summarize(values.values()) != summary:
        raise line.error("`mean`, `std` and `n` must be those of `values`.")
    return summary, values


def _values(line: Line) -> dict[int, float]:
    """The runs behind a line of our own tables, such as ``0:5.9 1:6.1``."""
    pairs = [pair.partition(":") for pair in line.fields.get("values", "").split()]
    try:
        return {int(seed): float(value) for seed, _, value in pairs}
    except ValueError:
        raise line.error(f"`values` must read like `0:5.9 1:6.1`, got {line.fields['values']!r}.") from None


def _highest(line: Line) -> float:
    return 100.0 if line.text("metric").endswith(("_error", "_accuracy", LOSS_OF_ACCURACY)) else 1e18


def _value(line: Line, column: str) -> float:
    low = -100.0 if line.text("metric") == LOSS_OF_ACCURACY else 0.0
    value = line.number_in(column, low=low, high=_highest(line))
    if line.text("metric") in COUNTS and not value.is_integer():
        raise line.error(f"`{column}` of a count must be a whole number, got {line.fields[column]}.")
    return value


def _row(group: Sequence[Line], known: Mapping[str, Paper], result: tuple[Summary | None, dict[int, float]]) -> Row:
    line, (ours, values) = group[0], result
    for other in group:
        for column in ("num_seeds", "scaled", "official_data", "selection"):
            if other.fields.get(column) != line.fields.get(column):
                raise other.error(f"`{column}` must be what it is in line {line.number}, of the same cell.")
    labels, metric = _labels(line), line.text("metric")
    table, *marks = line.text("table").split(".")
    paper = known.get(table)
    replaced = _replaced(labels["dataset"], marks, paper, table)
    printed = paper.printed(table, as_printed(labels, replaced), metric) if paper else None
    margin = _margin(table, as_printed(labels, replaced))
    selection = line.fields.get("selection", "")
    has_scale_mark = any(mark.startswith(("scale", "images")) for mark in marks)
    scaled = line.flag("scaled", default=False) or has_scale_mark
    official_data = line.flag("official_data", default=True)
    asked = line.integer("num_seeds") if line.fields.get("num_seeds") else 0
    given = Circumstances(
        num_seeds=max(asked, 1),
        obstacles=obstacles(
            metric=metric,
            scaled=scaled,
            official_data=official_data,
            selection=selection,
            printed=printed,
            labels=labels,
            paper=paper,
        ),
        misprint=printed.misprint if printed else "",
    )
    verdict = judge(metric, ours, printed, margin=margin, given=given)
    return Row(
        table=line.text("table"),
        labels=labels,
        metric=metric,
        run_id="",
        selection=selection,
        scaled=scaled,
        official_data=official_data,
        values=values,
        num_seeds=given.num_seeds,
        margin=margin,
        ours=ours,
        cost=None,
        printed=printed,
        difference=against_paper(metric, ours, printed),
        verdict=verdict,
        against_baseline=None,
        added=None,
        notes=notes(verdict, given),
    )


def _margin(table: str, labels: Mapping[str, str]) -> float:
    """That of the first block of the table's grid with this data set, model and operator; else the table's own."""
    content = config_files.load("table", table)
    for block in content["grid"]:
        if "margin" in block and all(labels[label] in map(str, block[label]) for label in _LABELS):
            return float(block["margin"][0])
    return float(content["margin"])


def _replaced(dataset: str, marks: Sequence[str], paper: Paper | None, table: str) -> dict[str, str]:
    """The data set -> the printed one in whose place it stands, as the marks of the table's name say."""
    if dataset in marks:
        return stand_in([dataset], paper, table)
    named = [mark for mark in marks if mark.endswith(f"-{dataset}")]
    return {dataset: named[0].removesuffix(f"-{dataset}")} if named else {}
