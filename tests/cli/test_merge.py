"""``convrepro merge``: records of another machine. What is refused, and why: tests/records/test_archive.py."""

import zipfile
from pathlib import Path

from tests.cli.conftest import SERIAL, Command

from convrepro.records import archive


def _runs(records_dir: Path) -> list[tuple[str, int]]:
    return [(path.stem.split("-seed")[0], int(path.stem.split("-seed")[1])) for path in records_dir.glob("*.json")]


def _archive_of_a_table(convrepro: Command) -> None:
    convrepro("run", "tiny", "--images", "0.2", "--results", "elsewhere", *SERIAL)
    records_dir = Path("elsewhere/records")
    archive.pack(records_dir, _runs(records_dir), Path("records.zip"))


def test_records_of_another_machine_make_the_same_table(convrepro: Command) -> None:
    _archive_of_a_table(convrepro)
    code, out, err = convrepro("merge", "records.zip")
    assert (code, err) == (0, "")
    assert out.splitlines()[:3] == [
        "  digits cnn4 dk: 2 new",
        "  digits cnn4 standard: 2 new",
        "4 new records in results/records, 0 were there already",
    ]
    code, out, _ = convrepro("tables", "tiny", "--images", "0.2")
    assert code == 0
    assert "records: 4 of 4" in out
    name = "tables/tiny.images0.2.csv"
    assert Path("results", name).read_bytes() == Path("elsewhere", name).read_bytes()


def test_the_second_time_all_are_there(convrepro: Command) -> None:
    _archive_of_a_table(convrepro)
    convrepro("merge", "records.zip", "--results", "mine")
    code, out, err = convrepro("merge", "records.zip", "--results", "mine")
    assert (code, out, err) == (0, "0 new records in mine/records, 4 were there already\n", "")


def test_a_record_whose_configuration_was_altered_is_refused(convrepro: Command) -> None:
    _archive_of_a_table(convrepro)
    with zipfile.ZipFile("records.zip") as honest, zipfile.ZipFile("forged.zip", "w") as forged:
        for name in honest.namelist():
            forged.writestr(name, honest.read(name).decode().replace('"batch_size": ', '"batch_size": 1'))
    code, out, err = convrepro("merge", "forged.zip")
    assert (code, out) == (2, "")
    assert "its run id is not that of its configuration" in err
    assert err.count("\n") == 1
    assert not Path("results").exists()


def test_what_is_no_archive_is_one_line_and_code_2(convrepro: Command) -> None:
    Path("records.zip").write_text("<html>not found</html>")
    for name, message in (
        ("records.zip", "records.zip is not an archive of records"),
        ("nowhere.zip", "there is no file nowhere.zip; name an archive of records"),
        (".", ". is a folder; name the archive in it, such as records.zip"),
    ):
        code, out, err = convrepro("merge", name)
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    assert not Path("results").exists()


def test_a_name_that_drives_terminals_is_refused(convrepro: Command) -> None:
    _archive_of_a_table(convrepro)
    with zipfile.ZipFile("records.zip") as honest, zipfile.ZipFile("odd.zip", "w") as odd:
        name = honest.namelist()[0]
        odd.writestr(name, honest.read(name).decode().replace('"model": "cnn4"', '"model": "\\u001b[2J"'))
    code, out, err = convrepro("merge", "odd.zip")
    assert (code, out) == (2, "")
    assert "must be plain text, got '\\x1b[2J'" in err
