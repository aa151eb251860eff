"""Reads ``<paper>.yaml`` and ``<paper>.csv``, beside this file; a defect is named with file and line."""

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import yaml

from convrepro.config_files import check_name
from convrepro.papers.paper import (
    SPREADS,
    UNITS,
    Claim,
    ClaimKind,
    Deviation,
    Paper,
    PrintedNumber,
    PrintedTable,
    is_decimal,
)

FOLDER = Path(__file__).parent
COLUMNS = (
    *("table", "dataset", "model", "conv", "axes", "metric", "printed"),
    *("spread", "num_runs", "unit", "misprint"),
)


def names(folder: Path = FOLDER) -> list[str]:
    """Names of the papers, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


@cache
def load(paper: str, folder: Path = FOLDER) -> Paper:
    """A paper's printed numbers, claims and deviations.

    Args:
        paper: name, such as ``dk_cnn``.
        folder: where its two files lie.

    Raises:
        ValueError: if there is no such paper, or one of its files has a defect.
    """
    check_name(paper, names(folder), kind="paper")
    path = folder / f"{paper}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        tables = {name: PrintedTable(name=name, **fields) for name, fields in content.pop("tables").items()}
        claims = tuple(Claim(**fields) for fields in content.pop("claims"))
        deviations = tuple(Deviation(**fields) for fields in content.pop("deviations"))
        content["authors"] = tuple(content["authors"])
        for table in tables.values():
            if table.spread and table.spread not in SPREADS:
                raise ValueError(f"{table.name} has the unknown spread {table.spread!r}.")
        for claim in claims:
            check_name(claim.table, tables, kind="table")
            check_name(claim.kind, get_args(ClaimKind), kind="kind of claim")
        numbers = tuple(read_numbers(folder / f"{paper}.csv", tables))
        return Paper(**content, tables=tables, numbers=numbers, claims=claims, deviations=deviations)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} lacks or adds a field: {error}.") from error


def read_numbers(path: Path, tables: Mapping[str, PrintedTable]) -> Iterator[PrintedNumber]:
    """The printed numbers of a CSV file, one per line.

    Raises:
        ValueError: if a line is not complete, stands twice, names an unknown table or holds no number.
    """
    lines: dict[tuple[Any, ...], int] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        if tuple(next(rows, ())) != COLUMNS:
            raise ValueError(f"{path}:1: the columns must be {','.join(COLUMNS)}.")
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if len(row) != len(COLUMNS):
                raise ValueError(f"{where}: {len(COLUMNS)} fields must stand here, got {len(row)}.")
            try:
                number = _number(dict(zip(COLUMNS, row, strict=True)), tables)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
            key = (number.table, number.metric, *sorted(number.labels.items()))
            if key in lines:
                raise ValueError(f"{where}: stands already in line {lines[key]}.")
            lines[key] = rows.line_num
            yield number


def _number(row: Mapping[str, str], tables: Mapping[str, PrintedTable]) -> PrintedNumber:
    check_name(row["table"], tables, kind="table")
    check_name(row["unit"], UNITS, kind="unit")
    table = tables[row["table"]]
    if row["metric"] != table.metric:
        raise ValueError(f"the metric of {table.name} must be {table.metric}, got {row['metric']!r}.")
    if not is_decimal(row["printed"]):
        raise ValueError(f"`printed` must be a decimal number, got {row['printed']!r}.")
    if row["spread"] and not (table.spread and is_decimal(row["spread"])):
        raise ValueError(f"`spread` must be a decimal number of a known kind, got {row['spread']!r}.")
    if row["num_runs"] and not (row["num_runs"].isdecimal() and int(row["num_runs"]) > 0):
        raise ValueError(f"`num_runs` must be empty or a positive integer, got {row['num_runs']!r}.")
    axes = [axis.partition("=") for axis in row["axes"].split()]
    if any(not (name and value) for name, _, value in axes):
        raise ValueError(f"`axes` must read like `conv.points=3 conv.pieces=2`, got {row['axes']!r}.")
    labels = {label: row[label] for label in ("dataset", "model", "conv")}
    if empty := [label for label, value in labels.items() if not value]:
        raise ValueError(f"`{empty[0]}` must not be empty.")
    return PrintedNumber(
        table=table.name,
        labels=labels | {name: value for name, _, value in axes},
        metric=row["metric"],
        printed=row["printed"],
        printed_spread=row["spread"],
        spread_kind=table.spread if row["spread"] else "",
        num_runs=int(row["num_runs"]) if row["num_runs"] else None,
        unit=row["unit"],
        misprint=row["misprint"],
    )
