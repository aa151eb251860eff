"""What can be audited."""

from pathlib import Path

import pytest
from tests.audits.papers_of_one_table import subject

from convrepro import papers
from convrepro.audits.subject import choose, describe
from convrepro.papers.reader import COLUMNS

HEADER = ",".join(COLUMNS)


def test_nothing_named_means_all_papers() -> None:
    assert [chosen.paper for chosen in choose(None)] == papers.names()


def test_a_paper_and_one_of_its_tables() -> None:
    (whole,) = choose("dk_cnn")
    assert {number.table for number in whole.numbers} > {"dk_table5", "dk_table6"}
    (part,) = choose("dk_table5")
    assert {number.table for number in part.numbers} == {"dk_table5"}
    assert {claim.table for claim in part.claims} == {"dk_table5"}


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="unknown paper, table or CSV file 'dk_table55'; did you mean 'dk_table5'"):
        choose("dk_table55")


def test_a_file_may_name_tables_and_metrics_of_its_own(tmp_path: Path) -> None:
    found = subject(
        tmp_path,
        "table_x,cifar10,my_net,mine,,,test_error,5.96,0.06,,5,%",
        "table_x,cifar10,my_net,standard,,,test_error,6.20,0.06,,5,%",
        "table_x,cifar10,my_net,mine,standard,,p_value,0.001",
        "table_y,cifar10,my_net,mine,,,seconds_of_my_own,7.5",
    )
    assert [number.metric for number in found.numbers] == ["test_error", "test_error", "seconds_of_my_own"]
    assert [comparison.printed for comparison in found.comparisons] == ["0.001"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "1: the columns must be"),
        (b"table,value\n", "1: the columns must be"),
        (HEADER.encode(), "1: the file must have at least one line"),
        (HEADER.encode() + b"\nt,d,m\n", "2: 13 fields must stand here"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error,5.9x,,,,%,\n", "2: `printed` must be a decimal number"),
        (HEADER.encode() + b"\n,d,m,c,,,test_error,5.9,,,,%,\n", "2: `table` must not be empty"),
        (HEADER.encode() + b"\nt,d,m,c,,,,5.9,,,,%,\n", "2: `metric` must not be empty"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error,5.9,-1,,5,%,\n", "2: `spread` must be at least 0, got -1"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error,101,,,5,%,\n", "2: `printed` must lie in 0 to 100 %, got 101"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error,9,1,-3,5,%,\n", "2: `best` must lie in 0 to 100 %, got -3"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error,9,,,5,x,\n", "2: unknown unit 'x'; known: none, %, GFLOPs"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error,5.9,,,,%,\xff\n", "2: the file must be UTF-8, got the byte 0xff"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error,5\x00.9,,,,%,\n", "2: a CSV file must not hold a NUL byte"),
        (HEADER.encode() + b'\nt,d,m,c,,,test_error,"5.9,,,,%,\n', "unexpected end of data"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error," + b"9" * 400 + b",,,,%,\n", "at most 20 characters"),
        (HEADER.encode() + b"\nt,d,m,c,,,test_error,9.1,,," + b"9" * 400 + b",%,\n", "at most 20 characters"),
    ],
)
def test_a_defect_of_the_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        choose(str(path))
    assert "bad.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file"):
        choose(str(tmp_path / "none.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match="must be a file, not a folder"):
        choose(str(tmp_path / "folder.csv"))


def test_a_cell_in_one_phrase() -> None:
    labels = {"dataset": "cifar10", "model": "resnet20", "conv": "dk", "conv.points": "3"}
    assert describe(labels) == "cifar10 resnet20 dk conv.points=3"


def test_a_loss_of_accuracy_may_be_negative(tmp_path: Path) -> None:
    found = subject(tmp_path, "t,cifar10,my_net,mine,,,accuracy_loss,-0.3,,,,%")
    assert [number.printed for number in found.numbers] == ["-0.3"]
