"""The text of a CSV file that anybody may have written."""

from pathlib import Path

import pytest

from convrepro.papers.csv_text import csv_text


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert csv_text(path) == "a,b\n1,2\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,\x002\n", r"mine\.csv:2: a CSV file must not hold a NUL byte"),
        (b"a,b\n1,2\n\xe9,3\n", r"mine\.csv:3: the file must be UTF-8, got the byte 0xe9"),
    ],
)
def test_what_is_no_text_is_named_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        csv_text(path)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        csv_text(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="must be a file, not a folder"):
        csv_text(tmp_path)
