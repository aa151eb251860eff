import io
from pathlib import Path

import pytest
from rich.console import Console

from convrepro.reporting import show
from convrepro.tables import BuiltTable

GOLDEN = Path(__file__).parent / "golden" / "small.txt"


def printed(built: BuiltTable, width: int, *, colour: bool = False) -> str:
    file = io.StringIO()
    show(built, Console(file=file, width=width, force_terminal=colour, color_system="standard" if colour else None))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def test_golden(built: BuiltTable) -> None:
    assert printed(built, 100) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_line_is_wider_than_the_page(built: BuiltTable, width: int) -> None:
    assert max(map(len, printed(built, width).splitlines())) <= width


def test_a_wide_page_shows_every_column(built: BuiltTable) -> None:
    text = printed(built, 200)
    assert "operator layers" in text
    assert "not shown" not in text


def test_a_narrow_page_says_what_it_leaves_out(built: BuiltTable) -> None:
    assert "not shown at this width: operator layers, time per run" in printed(built, 100)


def test_words_are_coloured(built: BuiltTable) -> None:
    assert "\x1b[1;31m" in printed(built, 100, colour=True)  # differs


def test_hostile_texts_neither_drive_the_terminal_nor_rich(hostile: BuiltTable) -> None:
    text = printed(hostile, 200)
    assert "\x1b" not in text
    assert r"\x1b[31m" in text


def test_compared_operators_are_printed_below_the_rows(compared: BuiltTable) -> None:
    text = printed(compared, 200)
    assert text.index("aconv - standard") > text.index("Two operators, compared as in the paper")
    assert "paper's t" in text
