"""Why a cell differs: all that is known of it beside the paper, from its records. Nothing is run or counted anew."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from convrepro.papers import SPREADS, Paper, PrintedNumber
from convrepro.records import Record, Table
from convrepro.reporting import provenance
from convrepro.reporting.explain_runs import curves, seeds
from convrepro.reporting.explanation import Explanation, Section
from convrepro.reporting.presentation import metric_with_unit, present
from convrepro.statistics import Circumstances, judge_exact, summarize
from convrepro.tables import BuiltTable, Row
from convrepro.tables.row import COUNTS

_ELSEWHERE = ("n", "verdict", "parameters", "MACs", "operator layers", "time per run")  # columns of the table


def explain(
    built: BuiltTable,
    table: Table,
    records: Sequence[Record],
    paper: Paper | None,
    *,
    run_id: str,
    without_record: Mapping[int, str],
    command: str,
) -> Explanation:
    """Gathers what is known of a cell.

    Args:
        built: the table, with all its rows.
        table: the same table's grid.
        records: of the cell; of other cells are passed over.
        paper: that prints the table; None if none does.
        run_id: of the cell.
        without_record: seed -> what has become of it: ``missing``, ``failed: out of memory``.
        command: what makes the records that are not there.

    Raises:
        ValueError: if the table has no such cell.
    """
    rows = [row for row in built.rows if row.run_id == run_id]
    if not rows:
        raise ValueError(f"{table.name} has no cell of run {run_id}.")
    own = sorted((record for record in records if record.run_id == run_id), key=lambda record: record.seed)
    sections = [_verdict(built, row, paper) for row in rows]
    if without_record:
        sections.append(_without_record(without_record, command))
    if own:
        data = provenance.data(own, official=rows[0].official_data)
        sections += [
            seeds(rows, own, paper),
            *curves(rows[0], own),
            _network(rows[0], own[0], paper),
            Section(title="What was computed", rows=tuple(provenance.computed(own))),
            Section(title="Images", rows=tuple(data)),
            Section(title="Made with", rows=tuple(provenance.environment(own))),
        ]
    sections += _deviations(table, paper)
    return Explanation(
        heading=f"{built.name}: {built.title}",
        source=built.source,
        cell=" ".join(f"{label}={value}" for label, value in rows[0].labels.items()) + f"  (run {run_id})",
        sections=tuple(sections),
    )


def printed_counts(row: Row, paper: Paper | None) -> list[PrintedNumber]:
    """The parameters and operations that the paper prints, in any of its tables, of a cell's network.

    The cell's data set is that under which the paper prints it. Axes that only one side has are no obstacle, but
    then it may be another network: compare the labels.
    """
    if paper is None:
        return []
    labels = _printed_labels(row)
    return [
        number
        for number in paper.numbers
        if number.metric in COUNTS
        and all(labels.get(label) == number.labels[label] for label in ("dataset", "model", "conv"))
        and all(number.labels.get(label, value) == value for label, value in labels.items())
    ]


def _printed_labels(row: Row) -> Mapping[str, str]:
    return row.printed.labels if row.printed else row.labels


def _verdict(built: BuiltTable, row: Row, paper: Paper | None) -> Section:
    columns = present(replace(built, rows=(row,), claims=())).columns
    shown = {
        column.title: column.texts[0]
        for column in columns
        if not column.is_label and column.title not in _ELSEWHERE and column.texts[0]
    }
    if row.printed:
        shown["paper"] = f"{shown['paper']}{_of_paper(row)}"
    if row.ours and not row.is_exact:
        shown["ours"] = f"{shown['ours']}, {row.n} of {row.num_seeds} runs, mean and sample standard deviation"
    if not row.is_exact and row.printed:
        shown["margin"] = f"{row.margin:g}"
    reason = row.verdict.reason
    notes = tuple(note for note in row.notes if note not in reason)
    note = paper.tables[row.config].note if paper and row.config in paper.tables else ""
    return Section(
        title=f"Verdict on {metric_with_unit(row)}",
        rows=(
            (row.verdict.word, reason or "the paper prints no number for this cell"),
            *((what, text) for what, text in shown.items() if text),
        ),
        sentences=tuple(filter(None, (*notes, note))),
        word=row.verdict.word,
    )


def _of_paper(row: Row) -> str:
    """What stands beside the printed number: how many runs, what kind of spread, the best run."""
    printed = row.printed
    if printed is None or row.is_exact:
        return ""
    runs = f"{printed.num_runs} runs" if printed.num_runs else "number of runs not printed"
    best = f"best run {printed.printed_best}" if printed.printed_best else ""
    return "".join(f", {text}" for text in (runs, SPREADS.get(printed.spread_kind, ""), best) if text)


def _without_record(without_record: Mapping[int, str], command: str) -> Section:
    states: dict[str, list[str]] = {}
    for seed, state in without_record.items():
        states.setdefault(state, []).append(str(seed))
    rows = [(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}", state) for state, seeds in states.items()]
    return Section(title="Runs without a record", rows=tuple(rows), sentences=(f"`{command}` makes them.",))


def _network(row: Row, record: Record, paper: Paper | None) -> Section:
    printed = printed_counts(row, paper)
    rows = []
    for metric, what in (("num_parameters", "parameters"), ("num_macs", "MACs")):
        ours = getattr(record, metric)
        numbers = [number for number in printed if number.metric == metric]
        rows += [(what, f"{ours:,}", *_beside(row, number, ours)) for number in numbers]
        rows += [] if numbers else [(what, f"{ours:,}", "not printed", "")]
    rows.append(("operator layers", str(record.num_operator_layers), "", ""))
    return Section(title="Network", columns=("", "ours", "paper", ""), rows=tuple(rows))


def _beside(row: Row, number: PrintedNumber, ours: int) -> tuple[str, str]:
    """The printed count, and how ours compares."""
    where = number.table
    labels = _printed_labels(row)
    others = [f"{label}={value}" for label, value in number.labels.items() if label not in labels]
    lacks = [f"{label}={value}" for label, value in labels.items() if label not in number.labels]
    printed = f"{number.printed} {number.unit}".rstrip()
    if others or lacks:
        differing = " ".join(others) or f"no {' '.join(lacks)}"
        return f"{printed} ({where})", f"printed for {differing}: {_compared(number, ours)}"
    return f"{printed} ({where})", _compared(number, ours)


def _compared(number: PrintedNumber, ours: int) -> str:
    given = Circumstances(num_seeds=1, misprint=number.misprint)
    verdict = judge_exact(summarize([float(ours)]), number.value, half_unit=number.half_unit, given=given)
    return ": ".join(filter(None, [verdict.word, verdict.reason]))


def _deviations(table: Table, paper: Paper | None) -> list[Section]:
    deviations = paper.deviations if paper else ()
    if not deviations and not table.assumptions:
        return []
    return [
        Section(
            title="Where the paper is silent or contradicts itself, and what is done here",
            rows=tuple(
                fact
                for deviation in deviations
                for fact in ((deviation.topic, f"paper: {deviation.paper}"), ("", f"here: {deviation.ours}"))
            ),
            sentences=tuple(f"This table: {assumption}" for assumption in table.assumptions),
        )
    ]
