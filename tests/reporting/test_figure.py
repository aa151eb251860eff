from collections.abc import Callable
from dataclasses import replace
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


def test_each_metric_has_a_panel(built: BuiltTable) -> None:
    rows = (*built.rows, *(replace(row, metric="test_top5_error") for row in built.rows[:2]))
    first, second = figure.draw(replace(built, rows=rows)).axes
    assert (len(first.get_yticklabels()), len(second.get_yticklabels())) == (3, 2)
    assert first.get_xlabel().startswith("test_error (%): ours minus paper")
    assert second.get_xlabel().startswith("test_top5_error (%): ours minus paper")
    assert first.get_yticklabels()[0].get_text() == second.get_yticklabels()[0].get_text() == "cnn4 standard"


def test_many_rows_make_a_high_picture(built: BuiltTable) -> None:
    """0.28 inches a row."""
    few, many = (figure.draw(replace(built, rows=built.rows * times)) for times in (1, 40))
    assert many.get_figheight() - few.get_figheight() == pytest.approx(0.28 * 3 * 39)
