from collections.abc import Callable
from dataclasses import replace

import pytest

from convrepro.reporting import forest
from convrepro.tables import BuiltTable


def test_zero_is_in_the_middle_and_all_rows_share_an_axis(built: BuiltTable) -> None:
    reach = forest.reach(built.rows, "test_error")
    for row, marks in zip(built.rows, forest.marks(built.rows), strict=True):
        assert row.difference is not None
        assert marks is not None
        low, high = row.difference.interval()
        assert marks.estimate == pytest.approx(0.5 + row.difference.estimate / (2 * reach))
        assert 0.0 <= marks.interval[0] <= marks.inner[0] <= marks.inner[1] <= marks.interval[1] <= 1.0
        assert (marks.interval[1] - marks.interval[0]) * 2 * reach == pytest.approx(high - low)
        assert (marks.margin[1] - marks.margin[0]) * 2 * reach == pytest.approx(0.6)


def test_rows_without_a_difference_have_no_marks(make: Callable[..., BuiltTable]) -> None:
    assert forest.marks(make(paper="").rows) == [None, None, None]
    assert forest.marks([]) == []


def test_each_metric_has_its_own_axis(built: BuiltTable) -> None:
    """The middle row reaches furthest; alone in its metric it fills its axis, and the others fill theirs."""
    rows = tuple(replace(row, metric="test_top5_error") if index == 1 else row for index, row in enumerate(built.rows))
    shown = forest.marks(rows)
    assert (
        forest.reach(rows, "test_error")
        < forest.reach(rows, "test_top5_error")
        == forest.reach(built.rows, "test_error")
    )
    assert shown[1] == forest.marks(built.rows)[1]
    assert shown[0] != forest.marks(built.rows)[0]
