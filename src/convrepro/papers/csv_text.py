"""The text of a CSV file that anybody may have written."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path


def csv_text(path: Path) -> str:
    """The file's text; a byte order mark is no part of it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a folder, holds a NUL byte or is not UTF-8; names the line.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}.") from None
    except IsADirectoryError:
        raise ValueError(f"{path} must be a file, not a folder.") from None
    if b"\0" in content:
        raise ValueError(f"{path}:{_line_of(content, content.index(0))}: a CSV file must not hold a NUL byte.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = _line_of(content, error.start), content[error.start]
        raise ValueError(f"{path}:{line}: the file must be UTF-8, got the byte {byte:#04x}.") from None


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file, each with the line that it begins in; an empty line is a row without fields.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no text, is not quoted as it should be, or, once all rows were given, if the last one may
            have been cut; names the line.
    """
    text = csv_text(path)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    here = end = 0  # a quoted field may span lines: a row begins after the end of the one before
    try:
        for row in rows:
            here, end = end + 1, rows.line_num
            yield here, row
    except csv.Error as error:
        raise ValueError(f"{path}:{end + 1}: {error}.") from error
    if here > 1 and not text.endswith(("\n", "\r", '"')):  # 5.96 may be what is left of 5.968
        raise ValueError(f"{path}:{here}: the last line has no end, so the file may be cut; end it if it is whole.")


def _line_of(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1
