from pathlib import Path

import pytest

from convrepro.reporting.user_csv import Line, read


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "mine.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n",
        "a,b\r\n1,2\r\n",  # Windows
        "\ufeffa,b\n1,2\n",  # Excel
        "a,b\n\n1,2\n\n",
        " a , b \n 1 , 2 \n",
        'a,b\n"1","2"',
    ],
)
def test_what_spreadsheets_write_is_read_alike(tmp_path: Path, content: str) -> None:
    (line,) = read(write(tmp_path, content), ("a", "b"))
    assert line.fields == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("content", "number", "message"),
    [
        (b"a,b\n1,\xff\n", 2, "the file must be UTF-8, got the byte 0xff"),
        (b"a,b\n1,2\n3,\0\n", 3, "must not hold a NUL byte"),
        ("a,b\n1,2\n3\n", 3, "2 fields must stand here, as in the header, got 1"),
        ("a,b\n1,2,3\n", 2, "2 fields must stand here, as in the header, got 3"),
        ("a,c\n1,2\n", 1, "the column `b` must be there"),
        ("a,b,a\n1,2,3\n", 1, "the column 'a' stands twice"),
        ("a,b\n", 1, "must have a header and at least one line"),
        ("", 1, "must have a header and at least one line"),
        ('a,b\n1,2\n"3,4\n', 3, "unexpected end of data"),
        ('a,b\n"1"x,2\n', 2, "expected after"),
        ("a,b\n1,2\n3,5.9", 3, "the last line has no end, so the file may be cut"),
        ("a,b\n1,2\n3,4\n1, 2\n", 4, "stands already in line 2, with the same numbers; name the `seed` of each run"),
    ],
)
def test_a_defect_is_one_line_with_file_and_line(
    tmp_path: Path, content: str | bytes, number: int, message: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=message) as caught:
        read(path, ("a", "b"))
    assert str(caught.value).startswith(f"{path}:{number}: ")
    assert "\n" not in str(caught.value)


def test_a_quoted_line_break_does_not_shift_the_count(tmp_path: Path) -> None:
    first, second = read(write(tmp_path, 'a,b\n"1\n1",2\n3,4\n'), ("a", "b"))
    assert (first.number, second.number) == (2, 4)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read(tmp_path / "none.csv", ())


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a file, not a folder"):
        read(tmp_path, ())


def line(text: str) -> Line:
    return Line(path=Path("f.csv"), number=7, fields={"x": text})


@pytest.mark.parametrize(("text", "value"), [("5.96", 5.96), ("-1", -1.0), ("+.5", 0.5), ("1e1", 10.0), ("5.", 5.0)])
def test_numbers(text: str, value: float) -> None:
    assert line(text).number_in("x", low=-10.0, high=10.0) == value


@pytest.mark.parametrize("text", ["", "5,96", "nan", "inf", "1_0", "0x1", "٣", "5.96%", "1e9999", "five", "5 6"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"^f.csv:7: `x` must be a number, got "):
        line(text).number_in("x", low=0.0, high=100.0)


def test_a_number_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"^f.csv:7: `x` must lie in \[0, 100\], got 101\.$"):
        line("101").number_in("x", low=0.0, high=100.0)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "²", "99999999999"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(ValueError, match="`x` must be a whole number"):
        line(text).integer("x")


def test_flags() -> None:
    assert line("true").flag("x", default=False)
    assert not line("false").flag("x", default=True)
    assert line("").flag("x", default=True)
    assert not line("").flag("not there", default=False)
    with pytest.raises(ValueError, match="`x` must be true or false, got 'yes'"):
        line("yes").flag("x", default=True)


def test_an_error_shows_no_control_characters() -> None:
    with pytest.raises(ValueError, match=r"x1b\[2J"):
        line("\x1b[2J").flag("x", default=True)
