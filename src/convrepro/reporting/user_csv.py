"""A CSV file that somebody else wrote, read without trusting it: each defect is named with file and line."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from convrepro.config_files import check_name
from convrepro.papers.csv_text import csv_rows
from convrepro.reporting import neutral

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the file, by column name."""

    path: Path
    number: int
    fields: Mapping[str, str]

    def error(self, text: str) -> ValueError:
        """The defect as an error that names file and line."""
        return ValueError(f"{self.path}:{self.number}: {neutral.plain(text)}")

    def text(self, column: str) -> str:
        """A field that must not be empty."""
        if not self.fields[column]:
            raise self.error(f"`{column}` must not be empty.")
        return self.fields[column]

    def number_in(self, column: str, *, low: float, high: float) -> float:
        """A field that must be a number between two bounds."""
        text = self.fields[column]
        if not _NUMBER.fullmatch(text):
            raise self.error(f"`{column}` must be a number, got {text!r}.")
        if not low <= float(text) <= high:
            raise self.error(f"`{column}` must lie in [{low:g}, {high:g}], got {text}.")
        return float(text)

    def integer(self, column: str) -> int:
        """A field that must be a whole number, 0 or more."""
        text = self.fields[column]
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise self.error(f"`{column}` must be a whole number, got {text!r}.")
        return int(text)

    def check_name(self, name: str, known: Iterable[str], *, kind: str) -> None:
        """Refuses an unknown name, with the nearest known one."""
        try:
            check_name(name, known, kind=kind)
        except ValueError as error:
            raise self.error(str(error)) from None

    def flag(self, column: str, *, default: bool) -> bool:
        """A field that must be true, false or, for the default, empty or not there."""
        text = self.fields.get(column, "")
        if text not in ("true", "false", ""):
            raise self.error(f"`{column}` must be true or false, got {text!r}.")
        return text == "true" if text else default


def read(path: Path, required: Collection[str]) -> list[Line]:
    """The lines of a CSV file with a header; empty lines are passed over.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not UTF-8, holds a NUL, lacks a column or has one twice, or a line has too few
            or too many fields, stands twice, or may have been cut.
    """
    lines: list[Line] = []
    header: list[str] = []
    line_of: dict[tuple[str, ...], int] = {}
    for number, row in csv_rows(path):
        if not row:
            continue
        if not header:
            header = [neutral.original(name.strip()) for name in row]
            _check_header(path, number, header, required)
            continue
        fields = [neutral.original(field.strip()) for field in row]
        line = Line(path=path, number=number, fields=dict(zip(header, fields, strict=False)))
        if len(row) != len(header):
            raise line.error(f"{len(header)} fields must stand here, as in the header, got {len(row)}.")
        if (same := line_of.setdefault(tuple(fields), number)) != number:
            raise line.error(
                f"this cell stands already in line {same}, with the same numbers; name the `seed` of each run."
            )
        lines.append(line)
    if not lines:
        raise ValueError(f"{path}:1: the file must have a header and at least one line.")
    return lines


def _check_header(path: Path, line: int, header: list[str], required: Collection[str]) -> None:
    for column in required:
        try:
            check_name(column, header, kind="column")
        except ValueError:
            raise ValueError(f"{path}:{line}: the column `{column}` must be there, got {header}.") from None
    if twice := sorted({column for column in header if header.count(column) > 1}):
        raise ValueError(f"{path}:{line}: the column {twice[0]!r} stands twice.")
