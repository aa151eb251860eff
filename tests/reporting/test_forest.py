from collections.abc import Callable

import pytest

from convrepro.reporting import forest
from convrepro.tables import BuiltTable


def test_zero_is_in_the_middle_and_all_rows_share_an_axis(built: BuiltTable) -> None:
    reach = forest.reach(built.rows)
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
