"""``convrepro tables``."""

from pathlib import Path

import pytest
from tests.cli.conftest import SERIAL, Command


def test_files_come_back_from_the_records(convrepro: Command) -> None:
    convrepro("run", "tiny", "--images", "0.2", "--seeds", "1", *SERIAL)
    files = {path: path.read_bytes() for path in Path("results/tables").iterdir()}
    for path in files:
        if path.suffix != ".csv":
            path.unlink()
    code, out, _ = convrepro("tables")
    assert code == 0
    assert {path: path.read_bytes() for path in Path("results/tables").iterdir()} == files
    assert "tiny.images0.2.seeds1.{csv,md,tex,html}" in out


def test_a_table_without_a_record_says_so_by_its_code(convrepro: Command) -> None:
    code, out, _ = convrepro("tables", "tiny")
    assert code == 1
    assert "records: 0 of 4" in out


def test_no_table_yet(convrepro: Command) -> None:
    code, out, _ = convrepro("tables")
    assert code == 0
    assert "`convrepro run quickstart` makes one" in out


def test_a_file_of_somebody_elses_is_passed_over(convrepro: Command) -> None:
    Path("results/tables").mkdir(parents=True)
    Path("results/tables/mine.csv").write_text("a,b\n")
    assert convrepro("tables")[0] == 0
    assert "mine" not in convrepro("status")[1]


def test_any_scale_comes_back_to_the_last_digit(convrepro: Command) -> None:
    convrepro(
        "run", "tiny", "--images", "0.2333333333", "--only", "conv=dk", "--machine", "threads=1", "--launcher", "serial"
    )
    files = {path: path.read_bytes() for path in Path("results/tables").iterdir()}
    convrepro("tables")
    assert {path: path.read_bytes() for path in Path("results/tables").iterdir()} == files
    assert b"0.2333 of the training images" in files[Path("results/tables/tiny.images0.2333333333.md")]


def test_a_broken_record_is_named_and_hides_no_other(convrepro: Command) -> None:
    convrepro("run", "tiny", "--images", "0.2", "--seeds", "1", *SERIAL)
    broken = next(path for path in Path("results/records").iterdir() if '"conv": "dk"' in path.read_text())
    broken.write_text("{")
    for command in (["tables"], ["run", "tiny", "--images", "0.2", "--seeds", "1"]):
        code, out, err = convrepro(*command)
        assert code == 1
        assert "records: 1 of 2" in out
        assert f"{broken} is not a record" in err
    assert "1 of 2 done, 1 unreadable" in convrepro("status")[1]
    assert "0 runs to do" in convrepro("plan", "tiny.images0.2.seeds1")[1]


def test_a_folder_that_cannot_be_written_is_said_beside_the_table(
    convrepro: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, content: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    convrepro("run", "tiny", "--images", "0.2", "--seeds", "1", *SERIAL)
    monkeypatch.setattr("convrepro.durable.write", read_only)
    code, out, err = convrepro("tables")
    assert code == 0
    assert "records: 2 of 2" in out
    assert err.startswith("convrepro: the table's files could not be written: [Errno 13] Permission denied")
