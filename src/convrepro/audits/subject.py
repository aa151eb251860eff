"""What is audited: the printed numbers of a paper, of one of its tables, or of a user's CSV file."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from convrepro import papers
from convrepro.config_files import check_name
from convrepro.papers import Claim, PrintedComparison, PrintedNumber, PrintedTable, reader
from convrepro.papers.csv_text import csv_text
from convrepro.papers.paper import is_decimal

UNKNOWN_SPREAD = "std"
MOST_CHARACTERS = 20  # of a number


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Printed numbers with what is said of them.

    Args:
        paper: its name; empty for a user's file.
        whole: whether all that the paper prints is there, so that its sentences are audited too.
    """

    paper: str
    tables: Mapping[str, PrintedTable]
    numbers: tuple[PrintedNumber, ...]
    comparisons: tuple[PrintedComparison, ...]
    claims: tuple[Claim, ...]
    whole: bool

    def without(self, tables: Iterable[str]) -> "Subject":
        """The same without some tables."""
        left_out = set(tables)
        return replace(
            self,
            tables={name: table for name, table in self.tables.items() if name not in left_out},
            numbers=tuple(number for number in self.numbers if number.table not in left_out),
            comparisons=tuple(comparison for comparison in self.comparisons if comparison.table not in left_out),
            claims=tuple(claim for claim in self.claims if claim.table not in left_out),
        )

    def number(self, table: str, labels: Mapping[str, str], metric: str) -> PrintedNumber | None:
        """The number under exactly these labels; None if there is none."""
        for number in self.numbers:
            if (number.table, number.metric) == (table, metric) and dict(number.labels) == dict(labels):
                return number
        return None


def choose(target: str | None) -> list[Subject]:
    """What a name stands for: a paper, one of its tables, or a CSV file; None for all papers.

    Raises:
        ValueError: if it is nothing of these, or the file has a defect.
        OSError: if the file cannot be read.
    """
    everything = [of_paper(name) for name in papers.names()]
    if target is None:
        return everything
    if target.endswith(".csv") or Path(target).is_file():
        return [of_file(Path(target))]
    for subject in everything:
        if target == subject.paper:
            return [subject]
        if target in subject.tables:
            return [one_table(subject, target)]
    known = [name for subject in everything for name in (subject.paper, *subject.tables)]
    check_name(target, known, kind="paper, table or CSV file")
    raise AssertionError("an unknown name is refused above")


def of_paper(name: str) -> Subject:
    paper = papers.load(name)
    return Subject(
        paper=name,
        tables=paper.tables,
        numbers=paper.numbers,
        comparisons=paper.comparisons,
        claims=paper.claims,
        whole=True,
    )


def one_table(subject: Subject, table: str) -> Subject:
    return replace(subject.without(set(subject.tables) - {table}), whole=False)


def of_file(path: Path) -> Subject:
    """A CSV file with the columns of the papers' own; it may name any table and metric.

    Raises:
        ValueError: if the file or one of its lines has a defect, which is named with its line.
        OSError: if it cannot be read.
    """
    tables = {
        name: PrintedTable(
            name=name, source=str(path), metrics=tuple(metrics), spread=UNKNOWN_SPREAD, selection="", note=""
        )
        for name, metrics in _metrics_by_table(path).items()
    }
    printed = list(reader.read_numbers(path, tables))
    for entry in printed:
        _check_size(entry, path)
    if not printed:
        raise ValueError(f"{path}:1: the file must have at least one line below its header.")
    return Subject(
        paper="",
        tables=tables,
        numbers=tuple(entry for entry in printed if isinstance(entry, PrintedNumber)),
        comparisons=tuple(entry for entry in printed if isinstance(entry, PrintedComparison)),
        claims=(),
        whole=True,
    )


def _check_size(entry: PrintedNumber | PrintedComparison, path: Path) -> None:
    """Refuses what nobody prints, before it overflows."""
    texts = [entry.printed, *(text for text in entry.labels.values() if text.isdecimal())]
    if isinstance(entry, PrintedNumber):
        texts += [entry.printed_spread, entry.printed_best, str(entry.num_runs or "")]
    longest = max(texts, key=len)
    if len(longest) > MOST_CHARACTERS:
        raise ValueError(f"{path}: a number must have at most {MOST_CHARACTERS} characters, got {longest[:20]}...")


def describe(labels: Mapping[str, str]) -> str:
    """A cell in one phrase: ``cifar10 resnet20 dk conv.points=3``."""
    named = ("dataset", "model", "conv")
    axes = (f"{label}={value}" for label, value in labels.items() if label not in named)
    return " ".join([*(labels[label] for label in named if labels.get(label)), *axes])


def in_order(tables: Iterable[str], subject: Subject) -> list[str]:
    """Tables in the order in which the paper has them; others behind."""
    known = list(subject.tables)
    return sorted(set(tables), key=lambda table: (known.index(table) if table in known else len(known), table))


def _metrics_by_table(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rows = csv.reader(io.StringIO(csv_text(path), newline=""), strict=True)
    try:
        header = next(rows, [])
        if tuple(header) != reader.COLUMNS:
            raise ValueError(f"{path}:1: the columns must be {','.join(reader.COLUMNS)}.")
        for row in rows:
            if len(row) == len(header):  # the reader names the others
                fields = dict(zip(header, row, strict=True))
                if not fields["table"] or not fields["metric"]:
                    empty = "metric" if fields["table"] else "table"
                    raise ValueError(f"{path}:{rows.line_num}: `{empty}` must not be empty.")
                _check_range(fields, f"{path}:{rows.line_num}")
                metrics = found.setdefault(fields["table"], [])
                if not fields["than"] and fields["metric"] not in metrics:
                    metrics.append(fields["metric"])
    except csv.Error as error:
        raise ValueError(f"{path}:{rows.line_num}: {error}.") from None
    return found


def _check_range(fields: Mapping[str, str], where: str) -> None:
    """Refuses spreads and percentages that cannot be; what is no number is left to the reader."""
    if is_decimal(fields["spread"]) and Decimal(fields["spread"]) < 0:
        raise ValueError(f"{where}: `spread` must be at least 0, got {fields['spread']}.")
    if fields["than"] or fields["unit"] != "%" or not fields["metric"].endswith(("accuracy", "error")):
        return
    for column in ("printed", "best"):
        is_short = len(fields[column]) <= MOST_CHARACTERS  # others are refused for that
        if is_short and is_decimal(fields[column]) and not 0 <= Decimal(fields[column]) <= 100:
            raise ValueError(f"{where}: `{column}` must lie in 0 to 100 %, got {fields[column]}.")
