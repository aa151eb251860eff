"""The text of a CSV file that anybody may have written."""

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


def _line_of(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1
