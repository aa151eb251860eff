import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest

from convrepro.records import Record
from convrepro.reporting import filters, write_all
from convrepro.tables import BuiltTable


def test_files_beside_each_other(built: BuiltTable, tmp_path: Path) -> None:
    paths = write_all(built, tmp_path / "tables")
    assert {ending: path.name for ending, path in paths.items()} == {
        ending: f"dk_table5.{ending}" for ending in ("csv", "md", "tex", "html", "png")
    }
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == sorted(path.name for path in paths.values())


def test_the_same_rows_give_the_same_bytes(built: BuiltTable, tmp_path: Path) -> None:
    first = {ending: path.read_bytes() for ending, path in write_all(built, tmp_path / "a").items()}
    second = {ending: path.read_bytes() for ending, path in write_all(built, tmp_path / "b").items()}
    assert first == second


def test_no_picture_without_a_difference(built: BuiltTable, tmp_path: Path) -> None:
    rows = tuple(replace(row, difference=None) for row in built.rows)
    assert "png" not in write_all(replace(built, rows=rows), tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc/passwd"])
def test_a_name_that_is_no_file_name(built: BuiltTable, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="must be a file name"):
        write_all(replace(built, name=name), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_picture_of_learned_filters_is_that_of_their_records(built: BuiltTable, tmp_path: Path) -> None:
    fields = {field.name: {} for field in dataclasses.fields(Record)} | {
        "run_id": "a", "seed": 0, "status": "done",
        "config": {"protocol": {"task": "filters"}}, "names": {"conv": "aconv"},
        "epochs": {"train_loss": [2.0, 1.0], "sigma_0": [0.3, 0.2]}, "reason": "", "schema_version": 1,
    }  # fmt: skip
    records = [Record(**fields)]
    path = write_all(built, tmp_path / "ours", records)["png"]
    assert path.read_bytes() == filters.write(records, tmp_path / "expected.png").read_bytes()
