"""``convrepro tables``."""

from pathlib import Path

from tests.cli.conftest import Command


def test_files_come_back_from_the_records(convrepro: Command) -> None:
    convrepro("run", "tiny", "--images", "0.2", "--seeds", "1", "--machine", "threads=1")
    files = {path: path.read_bytes() for path in Path("results/tables").iterdir()}
    for path in files:
        if path.suffix != ".csv":
            path.unlink()
    code, out, _ = convrepro("tables")
    assert code == 0
    assert {path: path.read_bytes() for path in Path("results/tables").iterdir()} == files
    assert "tiny.images0.2.seeds1.md" in out


def test_a_table_without_a_record_says_so_by_its_code(convrepro: Command) -> None:
    code, out, _ = convrepro("tables", "tiny")
    assert code == 1
    assert "records: 0 of 4" in out


def test_no_table_yet(convrepro: Command) -> None:
    code, out, _ = convrepro("tables")
    assert code == 0
    assert "`convrepro run quickstart` makes one" in out
