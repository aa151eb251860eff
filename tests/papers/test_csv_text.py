"""The text of a CSV file that anybody may have written."""

from pathlib import Path

import pytest

from convrepro.papers.csv_text import csv_rows, csv_text


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


def _rows(tmp_path: Path, text: str) -> list[tuple[int, list[str]]]:
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode())
    return list(csv_rows(path))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_have_the_line_that_they_begin_in(tmp_path: Path, end: str) -> None:
    text = 'a,b\n\n1,"2\n3"\n4,5\n'.replace("\n", end)
    assert _rows(tmp_path, text) == [(1, ["a", "b"]), (2, []), (3, ["1", f"2{end}3"]), (5, ["4", "5"])]


@pytest.mark.parametrize("text", ["a,b\n1,5.9", "a,b\n1,5.9,", "a,b\n1,", 'a,b\n1,"5",6'])
def test_a_last_line_that_may_be_cut_is_refused(tmp_path: Path, text: str) -> None:
    """5.9 may be what is left of 5.96."""
    with pytest.raises(ValueError, match=r"mine\.csv:2: the last line has no end, so the file may be cut; end it if"):
        _rows(tmp_path, text)


@pytest.mark.parametrize(("text", "num_rows"), [('a,b\n1,"5.9"', 2), ("a,b", 1), ("", 0)])
def test_a_last_line_that_is_whole_needs_no_end(tmp_path: Path, text: str, num_rows: int) -> None:
    assert len(_rows(tmp_path, text)) == num_rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\n1,"5"9\n', r"mine\.csv:2: .* expected after"),
        ('a,b\n1,"5\n', r"mine\.csv:2: unexpected end of data"),
        ("a,b\n" + "1" * 200_000 + ",2\n", r"mine\.csv:2: field larger than field limit"),
    ],
)
def test_what_is_not_quoted_as_it_should_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _rows(tmp_path, text)
