"""``convrepro merge``: records of another machine. What is refused, and why: tests/records/test_archive.py."""

import dataclasses
import zipfile
from pathlib import Path

from tests.cli.conftest import SERIAL, Command
from tests.records.invented import sealed

from convrepro.records import archive, store

RECORDS_DIR = Path(__file__).parents[2] / "results" / "records"


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
    assert out.splitlines()[:4] == [
        "records.zip: 4 new, 0 known",
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
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "records.zip: 0 new, 4 known",
        "0 new records in mine/records, 4 were there already",
    ]


def test_two_results_folders_at_once_print_what_came_from_where(convrepro: Command) -> None:
    """As if two machines had done half of a table each."""
    for conv, name in (("dk", "a"), ("standard", "b")):
        convrepro("run", "tiny", "--images", "0.2", "--only", f"conv={conv}", "--results", name, *SERIAL)
    Path("a/records/notes.txt").write_text("mine")
    code, out, err = convrepro("merge", "a", "b", "--results", "mine")
    assert code == 0
    assert err == "convrepro: a: passed over 1 that are not named as records: 'notes.txt'\n"
    assert out.splitlines()[:5] == [
        "a: 2 new, 0 known",
        "  digits cnn4 dk: 2 new",
        "b: 2 new, 0 known",
        "  digits cnn4 standard: 2 new",
        "4 new records in mine/records, 0 were there already",
    ]


def test_all_conflicts_are_named_and_then_counted(convrepro: Command) -> None:
    for record in store.read_everything(RECORDS_DIR)[:25]:
        store.write(Path("a/records"), record)
        store.write(Path("b/records"), dataclasses.replace(record, num_macs=record.num_macs + 1))
    code, out, err = convrepro("merge", "a", "b")
    assert (code, out) == (2, "")
    *lines, last = err.splitlines()
    assert len(lines) == 20
    assert all("differs in num_macs between b and a; remove the wrong one." in line for line in lines)
    assert last == "convrepro: 5 more like these; nothing was merged"
    assert not Path("results").exists()


def test_a_record_whose_configuration_was_altered_is_refused(convrepro: Command) -> None:
    _archive_of_a_table(convrepro)
    with zipfile.ZipFile("records.zip") as honest, zipfile.ZipFile("forged.zip", "w") as forged:
        for name in honest.namelist():
            forged.writestr(name, sealed(honest.read(name).decode().replace('"batch_size": ', '"batch_size": 1')))
    code, out, err = convrepro("merge", "forged.zip")
    assert (code, out) == (2, "")
    assert "its run id is not that of its configuration" in err
    assert err.count("\n") == 1
    assert not Path("results").exists()


def test_what_is_no_archive_is_one_line_and_code_2(convrepro: Command) -> None:
    Path("records.zip").write_text("<html>not found</html>")
    for name, message in (
        ("records.zip", "records.zip is not an archive of records"),
        ("nowhere.zip", "there is no nowhere.zip; name a folder of results, or an archive of records"),
        (".", ". has no folder `records`; name a results folder, or an archive such as records.zip"),
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
        odd.writestr(name, sealed(honest.read(name).decode().replace('"model": "cnn4"', '"model": "\\u001b[2J"')))
    code, out, err = convrepro("merge", "odd.zip")
    assert (code, out) == (2, "")
    assert "must be plain text, got '\\x1b[2J'" in err
