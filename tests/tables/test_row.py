from collections.abc import Callable
from dataclasses import replace

from convrepro.papers import Paper
from convrepro.records import Record, Table
from convrepro.tables import build


def test_marks_run_on_after_z(record: Callable[..., Record], table: Callable[..., Table], paper: Paper) -> None:
    built = build(table(), [record("new", 0, 4.0)], paper)
    many = replace(built.rows[0], notes=tuple(f"note {index}" for index in range(28)))
    footnotes = replace(built, rows=(many, many)).footnotes
    assert [footnotes[f"note {index}"] for index in (0, 1, 25, 26, 27)] == ["a", "b", "z", "aa", "ab"]


def test_rows_with_the_same_note_share_its_mark(
    record: Callable[..., Record], table: Callable[..., Table], paper: Paper
) -> None:
    records = [record(conv, 0, 4.0, scaled=True) for conv in ("standard", "new")]
    built = build(table(), records, paper)
    assert list(built.footnotes.values()) == ["a"]


def test_a_tables_config_is_its_name_without_marks(table: Callable[..., Table], paper: Paper) -> None:
    row = build(table(name="doe_table1.scale0.02.pack"), [], paper).rows[0]
    assert (row.table, row.config) == ("doe_table1.scale0.02.pack", "doe_table1")
