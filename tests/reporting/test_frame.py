from convrepro.reporting.frame import to_frame
from convrepro.tables import BuiltTable


def test_rows_and_numbers_are_those_of_the_table(built: BuiltTable) -> None:
    frame = to_frame(built)
    assert len(frame) == len(built.rows)
    assert frame["conv"].tolist() == [row.labels["conv"] for row in built.rows]
    assert frame["mean"].tolist() == [row.ours.mean if row.ours else None for row in built.rows]
    assert frame["verdict"].tolist() == [row.verdict.word for row in built.rows]
