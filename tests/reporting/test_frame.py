import pytest

from convrepro.reporting.frame import to_frame
from convrepro.tables import BuiltTable


def test_rows_and_numbers_are_those_of_the_table(built: BuiltTable) -> None:
    frame = to_frame(built)
    assert len(frame) == len(built.rows)
    assert frame["conv"].tolist() == [row.labels["conv"] for row in built.rows]
    assert frame["mean"].tolist() == [row.ours.mean if row.ours else None for row in built.rows]
    assert frame["verdict"].tolist() == [row.verdict.word for row in built.rows]


def test_compared_cells_are_lines_with_a_than(compared: BuiltTable) -> None:
    frame = to_frame(compared).set_index("metric")
    pairs = frame[frame["than"].notna()]
    assert set(pairs["than"]) == {"standard model.kernel_size=9"}
    assert float(pairs.loc["t_statistic", "mean"]) == pytest.approx(4.564, abs=1e-3)
    assert float(pairs.loc["t_statistic", "printed"]) == 2.88
