"""A built table as texts: what all the formats show, so that they cannot disagree."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from convrepro.reporting import neutral
from convrepro.reporting.column import Column
from convrepro.reporting.comparison_columns import comparison_columns
from convrepro.statistics import Difference, Summary, one_sample
from convrepro.tables import BuiltTable, Row
from convrepro.tables.row import COUNTS, LOSS_OF_ACCURACY, TIMES

TONES = {
    "reproduced": "good",
    "holds": "good",
    "differs": "bad",
    "contradicted": "bad",
    "inconclusive": "open",
    "undecided": "open",
    "incomplete": "open",
}  # the others are muted
# Behind a number; percent stands with the metric.
_UNITS_SHOWN = {"%": "", "": "", "M": "M", "GFLOPs": " GFLOPs", "us": " us", "ms/img": " ms/img"}


@dataclass(frozen=True, kw_only=True)
class ShownClaim:
    word: str
    text: str
    source: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """No text has control characters, no label is a formula; nothing is escaped for a format yet.

    ``comparisons`` are the columns of a second table; there are none if the paper compares no two cells.
    """

    name: str
    title: str
    source: str
    facts: str
    columns: tuple[Column, ...]
    words: tuple[str, ...]
    reasons: tuple[str, ...]
    claims: tuple[ShownClaim, ...]
    footnotes: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    assumptions: tuple[str, ...]
    comparisons: tuple[Column, ...]


def present(built: BuiltTable) -> Presentation:
    """The texts of a table. Labels that never vary stand in ``facts``, columns without content nowhere."""
    labels = _labels(built.rows)
    constant = {name: texts[0] for name, texts in labels.items() if len(set(texts)) == 1 < len(texts)}
    columns = [
        Column(title=neutral.label(name), texts=texts, rank=0, is_label=True)
        for name, texts in labels.items()
        if name not in constant
    ]
    columns += [column for column in _numbers(built) if any(column.texts) or not built.rows]
    return Presentation(
        name=neutral.label(built.name),
        title=neutral.plain(built.title),
        source=neutral.plain(built.source),
        facts=", ".join(f"{neutral.label(name)}: {text}" for name, text in constant.items()),
        columns=tuple(columns),
        words=tuple(row.verdict.word for row in built.rows),
        reasons=tuple(neutral.plain(row.verdict.reason) for row in built.rows),
        claims=tuple(
            ShownClaim(
                word=claim.finding.word,
                text=neutral.plain(claim.text),
                source=neutral.plain(claim.source),
                reason=neutral.plain(claim.finding.reason),
            )
            for claim in built.claims
        ),
        footnotes=tuple((mark, neutral.plain(note)) for note, mark in built.footnotes.items()),
        remarks=tuple(map(neutral.plain, built.remarks)),
        assumptions=tuple(map(neutral.plain, built.assumptions)),
        comparisons=comparison_columns(built.comparisons),
    )


def label_names(rows: Sequence[Row]) -> list[str]:
    """The labels of any row, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row.labels))


def metric_with_unit(row: Row) -> str:
    """``test_error (%)``; no unit where there is none."""
    return f"{row.metric} (%)" if _is_percentage(row) else row.metric


def _labels(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    found = {name: tuple(row.labels.get(name, "") for row in rows) for name in label_names(rows)}
    if len({row.table for row in rows}) > 1:
        found = {"table": tuple(row.table for row in rows), **found}
    found["metric"] = tuple(metric_with_unit(row) for row in rows)
    return {name: tuple(map(neutral.label, texts)) for name, texts in found.items()}


def _numbers(built: BuiltTable) -> list[Column]:
    marks = built.footnotes
    against = f"minus {neutral.plain(built.baseline)}"
    if not all(row.is_exact for row in built.rows):
        against += " [95 %], Welch's p"

    def verdict(row: Row) -> str:
        words = [] if row.verdict.word == "no printed value" else [row.verdict.word]
        return " ".join([*words, *(f"[{marks[note]}]" for note in row.notes)])

    def column(title: str, rank: int, text: Callable[[Row], str]) -> Column:
        return Column(title=title, texts=tuple(map(text, built.rows)), rank=rank)

    return [
        column("n", 0, _n),
        column("ours", 0, _ours),
        column("paper", 0, _paper),
        column("difference [95 %]", 1, _difference),
        column(f"over {neutral.plain(built.baseline)} [95 %]", 1, _ratio),
        column("paper's ratio", 1, lambda row: "" if row.printed_ratio is None else f"{row.printed_ratio:.2f}"),
        column("verdict", 0, verdict),
        column("best_on_validation", 2, _honest),
        column("optimism [95 %]", 2, _optimism),
        column(against, 2, _against),
        column("best run", 3, lambda row: "" if row.best is None else f"{row.best:.{_decimals(row)}f}"),
        column("paper's best", 3, lambda row: row.printed.printed_best if row.printed else ""),
        column("parameters", 3, _parameters),
        column("MACs", 4, _macs),
        column("operator layers", 6, lambda row: str(row.cost.num_operator_layers) if row.cost else ""),
        column("time per run", 5, _time),
    ]


def _n(row: Row) -> str:
    return str(row.n) if row.n >= row.num_seeds else f"{row.n}/{row.num_seeds}"


def _is_percentage(row: Row) -> bool:
    return row.metric.endswith(("_error", "_accuracy", LOSS_OF_ACCURACY))


def _decimals(row: Row) -> int:
    """As the paper prints it, percentages two at least; what it does not print, two digits of the deviation."""
    if row.printed and row.printed.unit not in ("M", "GFLOPs"):
        return max(2 if _is_percentage(row) else 0, row.printed.decimals)
    if _is_percentage(row):
        return 2
    if row.metric in TIMES:
        return 0 if row.metric.endswith("microseconds") else 3
    deviation = row.ours.std if row.ours and row.ours.std and math.isfinite(row.ours.std) else 0.0
    return max(4, 1 - math.floor(math.log10(deviation))) if deviation else 4


def _exact(row: Row, value: float, sign: str = "") -> str:
    """A count in full, of operations in 10^9 (all digits are in the CSV), a ratio to at least four decimals."""
    if row.metric == "num_macs":
        return f"{value / 1e9:{sign}.3f}G"
    return f"{value:{sign},.0f}" if row.metric in COUNTS else f"{value:{sign}.{max(4, _decimals(row))}f}"


def _ours(row: Row) -> str:
    if row.ours is None:
        return ""
    if row.is_exact:
        return _exact(row, row.ours.mean)
    return _summary(row, row.ours)


def _summary(row: Row, summary: Summary | None) -> str:
    if summary is None:
        return ""
    spread = "" if summary.std is None else f" ± {summary.std:,.{_decimals(row)}f}"
    return f"{summary.mean:,.{_decimals(row)}f}{spread}"


def _honest(row: Row) -> str:
    return _summary(row, row.best_on_validation)


def _optimism(row: Row) -> str:
    if row.optimism is None:
        return ""
    if row.optimism.std is None:
        return f"{row.optimism.mean:+z.{_decimals(row)}f}"
    return _interval(row, one_sample(row.optimism))


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    low, high = row.ratio.interval()
    return f"{row.ratio.estimate:.3f} [{low:.3f}, {high:.3f}]"


def _paper(row: Row) -> str:
    if row.printed is None:
        return ""
    spread = f" ± {row.printed.printed_spread}" if row.printed.printed_spread else ""
    return f"{row.printed.printed}{spread}{_UNITS_SHOWN[row.printed.unit]}"


def _difference(row: Row) -> str:
    if row.difference is None and row.ours and row.printed and not row.is_exact and row.metric not in TIMES:
        return f"{row.ours.mean - row.printed.value:+z.{_decimals(row)}f}"
    return _interval(row, row.difference)


def _interval(row: Row, difference: Difference | None) -> str:
    if difference is None:
        return ""
    low, high = difference.interval()
    places = _decimals(row)
    return f"{difference.estimate:+z.{places}f} [{low:+z.{places}f}, {high:+z.{places}f}]"


def _parameters(row: Row) -> str:
    """Beside a table that counts them they would stand twice."""
    return f"{row.cost.num_parameters:,}" if row.cost and row.metric != "num_parameters" else ""


def _macs(row: Row) -> str:
    return f"{row.cost.num_macs / 1e6:,.1f}M" if row.cost and row.metric != "num_macs" else ""


def _against(row: Row) -> str:
    if row.added is not None:
        return _exact(row, row.added, sign="+")
    shown = _interval(row, row.against_baseline)
    return f"{shown}, {row.against_baseline.p_value:.2g}" if row.against_baseline else shown


def _time(row: Row) -> str:
    seconds = row.cost.wall_seconds if row.cost else None
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
