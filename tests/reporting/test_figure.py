from collections.abc import Callable
from pathlib import Path

import pytest

from convrepro.reporting import figure
from convrepro.tables import BuiltTable


@pytest.mark.parametrize(("ending", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_same_rows_give_the_same_bytes(built: BuiltTable, tmp_path: Path, ending: str, begins: bytes) -> None:
    first = figure.write(built, tmp_path / f"a.{ending}").read_bytes()
    second = figure.write(built, tmp_path / f"b.{ending}").read_bytes()
    assert first == second
    assert first.startswith(begins)


def test_every_row_with_a_difference_is_drawn(built: BuiltTable) -> None:
    (axes,) = figure.draw(built).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "cnn4 standard",
        "cnn4 dk_first",
        "resnet20 standard",
    ]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == [row.difference.estimate for row in built.rows if row.difference]


def test_nothing_to_draw(make: Callable[..., BuiltTable]) -> None:
    with pytest.raises(ValueError, match="dk_table5 has no difference to draw"):
        figure.draw(make(paper=""))


def test_another_ending(built: BuiltTable, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in .png or .svg, got 'a.gif'"):
        figure.write(built, tmp_path / "a.gif")
