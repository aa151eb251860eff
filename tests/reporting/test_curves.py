"""Curves of a grid of three points and two pieces, whose error is ten times the points plus the pieces."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from convrepro.papers import PrintedNumber
from convrepro.reporting import curves, figure, write_all
from convrepro.tables import BuiltTable, Row


@pytest.fixture
def grid(make: Callable[..., BuiltTable]) -> BuiltTable:
    built = make({("m", f"{points}-{pieces}"): (10 * points + pieces - 1, 10 * points + pieces + 1)
                  for points in (3, 2, 8) for pieces in (1, 2)}, paper="", num_seeds=2, baseline="")  # fmt: skip
    return replace(built, rows=tuple(map(_relabelled, built.rows)))


def _relabelled(row: Row) -> Row:
    points, pieces = row.labels["conv"].split("-")
    return replace(row, labels={**row.labels, "conv": "dk", "conv.points": points, "conv.pieces": pieces})


def _printed(row: Row, value: str) -> Row:
    number = PrintedNumber(
        table="t", labels=row.labels, metric="test_error", printed=value, printed_spread="", spread_kind="",
        num_runs=None, unit="%", misprint="",
    )  # fmt: skip
    return replace(row, printed=number)


def test_the_axis_is_the_one_with_the_most_numbers(grid: BuiltTable) -> None:
    assert curves.axis(grid) == "conv.points"


def test_two_numbers_make_no_axis(grid: BuiltTable) -> None:
    assert curves.axis(replace(grid, rows=tuple(row for row in grid.rows if row.labels["conv.points"] != "3"))) is None


def test_words_make_no_axis(grid: BuiltTable) -> None:
    rows = [replace(row, labels={**row.labels, "conv.points": f"p{row.labels['conv.points']}"}) for row in grid.rows]
    assert curves.axis(replace(grid, rows=tuple(rows))) is None


def test_no_curves_where_the_paper_prints_half_of_the_numbers(grid: BuiltTable) -> None:
    rows = [_printed(row, "20.00") if index < 3 else row for index, row in enumerate(grid.rows)]
    assert curves.axis(replace(grid, rows=tuple(rows))) is None


def test_a_table_without_an_axis_or_runs(built: BuiltTable, grid: BuiltTable) -> None:
    without_runs = replace(grid, rows=tuple(replace(row, ours=None) for row in grid.rows))
    for table in (built, without_runs):
        assert curves.axis(table) is None
        with pytest.raises(ValueError, match="has no axis of three numbers or more to draw curves along"):
            curves.draw(table)


def test_one_line_of_means_for_each_group(grid: BuiltTable) -> None:
    (axes,) = figure.draw(grid).axes
    lines = {container.get_label(): container.lines[0] for container in axes.containers}
    assert set(lines) == {"conv.pieces 1", "conv.pieces 2"}
    for pieces in (1, 2):
        assert list(lines[f"conv.pieces {pieces}"].get_xdata()) == [2.0, 3.0, 8.0]
        assert list(lines[f"conv.pieces {pieces}"].get_ydata()) == [20.0 + pieces, 30.0 + pieces, 80.0 + pieces]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("conv.points", "test_error (%)")


def test_a_printed_number_is_drawn_in_the_colour_of_its_line(grid: BuiltTable) -> None:
    rows = (_printed(grid.rows[0], "31.50"), *grid.rows[1:])
    (axes,) = curves.draw(replace(grid, rows=rows)).axes
    (diamond,) = (line for line in axes.lines if line.get_marker() == "D")
    assert (list(diamond.get_xdata()), list(diamond.get_ydata())) == ([3.0], [31.5])
    assert diamond.get_color() == axes.containers[0].lines[0].get_color()


def test_curves_are_among_the_files_of_a_table(grid: BuiltTable, tmp_path: Path) -> None:
    assert write_all(grid, tmp_path)["png"].read_bytes().startswith(b"\x89PNG")


def test_metrics_and_data_sets_have_panels_of_their_own(grid: BuiltTable) -> None:
    rows = (
        *grid.rows,
        *(replace(row, metric="test_top5_error") for row in grid.rows),
        *(replace(row, labels={**row.labels, "dataset": "another"}) for row in grid.rows),
    )
    drawn = curves.draw(replace(grid, rows=rows))
    assert [(axes.get_title(), axes.get_ylabel()) for axes in drawn.axes] == [
        ("fashion_mnist", "test_error (%)"),
        ("fashion_mnist", "test_top5_error (%)"),
        ("another", "test_error (%)"),
    ]
    for axes in drawn.axes:
        assert {container.get_label() for container in axes.containers} == {"conv.pieces 1", "conv.pieces 2"}
