"""Reads ``<paper>.yaml`` and ``<paper>.csv``, beside this file; a defect is named with file and line."""

import itertools
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import yaml

from convrepro.config_files import check_name
from convrepro.papers.csv_text import csv_rows
from convrepro.papers.paper import (
    SPREADS,
    UNITS,
    Claim,
    ClaimKind,
    ComparisonMetric,
    Deviation,
    Paper,
    PrintedComparison,
    PrintedNumber,
    PrintedTable,
    is_decimal,
    is_kernel_size,
)

FOLDER = Path(__file__).parent
COLUMNS = (
    *("table", "dataset", "model", "conv", "than", "axes", "metric", "printed"),
    *("spread", "best", "num_runs", "unit", "misprint"),
)
_NUM_RUNS = re.compile(r"0*[1-9]\d*", re.ASCII)
Printed = PrintedNumber | PrintedComparison


def names(folder: Path = FOLDER) -> list[str]:
    """Names of the papers, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


@cache
def load(paper: str, folder: Path = FOLDER) -> Paper:
    """A paper's printed numbers, comparisons, claims and deviations.

    Args:
        paper: name, such as ``dk_cnn``.
        folder: where its two files lie.

    Raises:
        ValueError: if there is no such paper, or one of its files has a defect.
    """
    check_name(paper, names(folder), kind="paper")
    path = folder / f"{paper}.yaml"
    try:
        content = yaml.safe_load(path.read_bytes())
        tables = {name: _table(name, fields) for name, fields in content.pop("tables").items()}
        claims = tuple(claim for fields in content.pop("claims") for claim in _claims(fields, tables))
        deviations = tuple(Deviation(**fields) for fields in content.pop("deviations"))
        content["authors"] = tuple(content["authors"])
        printed = list(read_numbers(folder / f"{paper}.csv", tables))
        return Paper(
            **content,
            tables=tables,
            numbers=tuple(entry for entry in printed if isinstance(entry, PrintedNumber)),
            comparisons=tuple(entry for entry in printed if isinstance(entry, PrintedComparison)),
            claims=claims,
            deviations=deviations,
        )
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{path}:{mark.line + 1 if mark else 1}: the file must be YAML: {error!s:.100}.") from error
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} lacks or adds a field: {error}.") from error


def read_numbers(path: Path, tables: Mapping[str, PrintedTable]) -> Iterator[Printed]:
    """What a CSV file says that a paper prints, one number or comparison per line.

    Args:
        path: a CSV file with the columns ``COLUMNS``. In it a comparison is a line with ``than``, the second
            cell's operator, which its own axes may follow: ``standard model.kernel_size=3``.
        tables: what its lines may speak of.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line is not complete, stands twice, names an unknown table or holds no number.
    """
    lines: dict[tuple[Any, ...], int] = {}
    rows = csv_rows(path)
    if tuple(next(rows, (1, []))[1]) != COLUMNS:
        raise ValueError(f"{path}:1: the columns must be {','.join(COLUMNS)}.")
    for line, row in rows:
        where = f"{path}:{line}"
        if len(row) != len(COLUMNS):
            raise ValueError(f"{where}: {len(COLUMNS)} fields must stand here, got {len(row)}.")
        fields = dict(zip(COLUMNS, row, strict=True))
        try:
            check_name(fields["table"], tables, kind="table")
            table = tables[fields["table"]]
            printed = (_comparison if fields["than"].strip() else _number)(fields, table)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        than = printed.than if isinstance(printed, PrintedComparison) else {}
        key = (printed.table, printed.metric, *sorted(printed.labels.items()), *sorted(than.items()))
        if key in lines:
            raise ValueError(f"{where}: stands already in line {lines[key]}.")
        lines[key] = line
        yield printed


def _table(name: str, fields: Mapping[str, Any]) -> PrintedTable:
    table = PrintedTable(**{"name": name, **fields, "metrics": tuple(fields["metrics"])})
    if table.spread and table.spread not in SPREADS:
        raise ValueError(f"{name} has the unknown spread {table.spread!r}.")
    return table


def _claims(fields: Mapping[str, Any], tables: Mapping[str, PrintedTable]) -> Iterator[Claim]:
    """The claims of an entry: one for each combination of the values that stand in lists."""
    many = {
        (group, label): values
        for group in ("where", "than_where")
        for label, values in fields.get(group, {}).items()
        if isinstance(values, list)
    }
    for values in itertools.product(*many.values()):
        chosen = {group: dict(labels) for group, labels in fields.items() if group in ("where", "than_where")}
        for (group, label), value in zip(many, values, strict=True):
            chosen[group][label] = value
        claim = Claim(**{**fields, **chosen, "ratio": tuple(fields.get("ratio", ()))})
        check_name(claim.table, tables, kind="table")
        check_name(claim.kind, get_args(ClaimKind), kind="kind of claim")
        _check_kind(claim)
        if claim.metric:
            check_name(claim.metric, tables[claim.table].metrics, kind=f"metric of {claim.table}")
        yield claim


def _check_kind(claim: Claim) -> None:
    """Whether the claim has what its kind needs, and nothing that is of another kind."""
    bounds = claim.ratio
    is_range = len(bounds) == 2 and all(type(bound) in (int, float) for bound in bounds) and 0 < bounds[0] <= bounds[1]
    if is_range != (claim.kind == "ratio") or (bounds and not is_range):
        raise ValueError(
            f"`ratio` of a claim must be two rising positive numbers for the kind ratio and else empty, "
            f"got {list(bounds)} for the kind {claim.kind}."
        )
    if claim.paired and claim.kind not in ("lower", "higher", "alike"):
        raise ValueError(f"a claim of the kind {claim.kind} cannot be `paired`.")


def _number(row: Mapping[str, str], table: PrintedTable) -> PrintedNumber:
    check_name(row["unit"], UNITS, kind="unit")
    if row["metric"] not in table.metrics:
        raise ValueError(f"the metric of {table.name} must be {' or '.join(table.metrics)}, got {row['metric']!r}.")
    if not is_decimal(row["printed"]):
        raise ValueError(f"`printed` must be a decimal number, got {row['printed']!r}.")
    if row["spread"] and not (table.spread and is_decimal(row["spread"])):
        raise ValueError(f"`spread` must be a decimal number of a known kind, got {row['spread']!r}.")
    if row["best"] and not is_decimal(row["best"]):
        raise ValueError(f"`best` must be empty or a decimal number, got {row['best']!r}.")
    if row["num_runs"] and not _NUM_RUNS.fullmatch(row["num_runs"]):
        raise ValueError(f"`num_runs` must be empty or a positive integer, got {row['num_runs']!r}.")
    return PrintedNumber(
        table=table.name,
        labels=_labels(row, row["conv"], row["axes"].split()),
        metric=row["metric"],
        printed=row["printed"],
        printed_spread=row["spread"],
        spread_kind=table.spread if row["spread"] else "",
        num_runs=int(row["num_runs"]) if row["num_runs"] else None,
        unit=row["unit"],
        misprint=row["misprint"],
        printed_best=row["best"],
    )


def _comparison(row: Mapping[str, str], table: PrintedTable) -> PrintedComparison:
    check_name(row["metric"], get_args(ComparisonMetric), kind="metric of a comparison")
    if odd := [column for column in ("spread", "best", "num_runs", "unit") if row[column]]:
        raise ValueError(f"`{odd[0]}` of a comparison must be empty, got {row[odd[0]]!r}.")
    is_size = row["metric"] == "best_kernel_size"
    if not (is_kernel_size if is_size else is_decimal)(row["printed"]):
        form = "a kernel size such as 9x9" if is_size else "a decimal number"
        raise ValueError(f"`printed` must be {form}, got {row['printed']!r}.")
    than, *than_axes = row["than"].split()
    return PrintedComparison(
        table=table.name,
        labels=_labels(row, row["conv"], row["axes"].split()),
        than=_labels(row, than, than_axes),
        metric=row["metric"],  # type: ignore[arg-type]  # checked above
        printed=row["printed"],
        misprint=row["misprint"],
    )


def _labels(row: Mapping[str, str], conv: str, axes: list[str]) -> dict[str, str]:
    pairs = [axis.partition("=") for axis in axes]
    if any(not (name and value) for name, _, value in pairs):
        raise ValueError(f"`axes` must read like `conv.points=3 conv.pieces=2`, got {' '.join(axes)!r}.")
    labels = {"dataset": row["dataset"], "model": row["model"], "conv": conv}
    if empty := [label for label, value in labels.items() if not value]:
        raise ValueError(f"`{empty[0]}` must not be empty.")
    if odd := [label for label, value in labels.items() if value != value.strip()]:
        raise ValueError(f"`{odd[0]}` must have no blanks around it, got {labels[odd[0]]!r}.")
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise ValueError(f"`axes` must name each axis once, got {' '.join(axes)!r}.")
    return labels | {name: value for name, _, value in pairs}
