"""R11: a mutated record or CSV file is refused with file and line, or says what it said; it hides nothing else."""

import csv
import random
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.faults.invented_tables import NUM_SEEDS, RECORDS, TABLE
from tests.faults.mutations import MUTATIONS

from convrepro import papers
from convrepro.cli import main as command
from convrepro.papers.reader import FOLDER, read_numbers
from convrepro.records import store
from convrepro.reporting.compare import compare
from convrepro.tables import build

Figure = Callable[[int, int], int]
RESULTS = Path(__file__).parents[2] / "results"
PER_RUN = "table,dataset,model,conv,metric,seed,value\n" + "".join(
    f"dk_table5,fashion_mnist,{model},{conv},test_error,{seed},{5 + 0.01 * seed + 0.1 * number}\n"
    for number, (model, conv) in enumerate(
        (model, conv) for model in ("cnn4", "resnet20") for conv in ("dk", "standard")
    )
    for seed in range(5)
)
WITHOUT_SEEDS = re.sub(r",(seed|\d),", ",", PER_RUN)
PER_CELL = "table,dataset,model,conv,metric,n,mean,std\n" + "".join(
    f"dk_table5,fashion_mnist,{model},{conv},test_error,5,{5 + number / 8},{0.1 + number / 64}\n"
    for number, (model, conv) in enumerate(
        (model, conv) for model in ("cnn4", "resnet20") for conv in ("dk", "standard")
    )
)


@pytest.fixture(scope="module")
def records_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    for record in RECORDS:
        store.write(folder, record)
    return folder


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_record(name: str, records_dir: Path, figure: Figure) -> None:
    """Refused with its line, or unchanged; the cell then has a run less, and the others are what they were."""
    numbers = random.Random(name)
    whole = build(TABLE, RECORDS, None)
    for _ in range(figure(4, 20)):
        hit = numbers.choice(RECORDS)
        path = store.path_of(records_dir, hit.run_id, hit.seed)
        content = path.read_bytes()
        path.write_bytes(MUTATIONS[name](content, numbers))
        found, defects = store.read_all(records_dir, [cell.run_id for cell in TABLE.cells], range(NUM_SEEDS))
        path.write_bytes(content)
        built = build(TABLE, found, None)
        if not defects:
            assert built == whole
            continue
        assert [defect.startswith(f"{path} is not a record: line ") for defect in defects] == [True]
        for row, as_it_was in zip(built.rows, whole.rows, strict=True):
            if row.run_id == hit.run_id:
                assert row.verdict.reason.startswith("n=4/5")
                assert row.values == {seed: value for seed, value in as_it_was.values.items() if seed != hit.seed}
            else:
                assert row == as_it_was


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("paper", papers.names())
def test_a_papers_numbers(paper: str, name: str, tmp_path: Path, figure: Figure) -> None:
    """Refused, or each cell that it speaks of has the number that it had; lines may be lost: nothing counts them."""
    numbers = random.Random(name)
    tables = papers.load(paper).tables
    path = tmp_path / f"{paper}.csv"
    content = (FOLDER / f"{paper}.csv").read_bytes()
    path.write_bytes(content)
    original = {_key(entry): _value(entry) for entry in read_numbers(path, tables)}
    for _ in range(figure(1, 5)):
        path.write_bytes(MUTATIONS[name](content, numbers))
        try:
            found = {_key(entry): _value(entry) for entry in read_numbers(path, tables)}
        except ValueError as error:
            _assert_names_file_and_line(error, path)
        else:
            assert all(original.get(cell, value) == value for cell, value in found.items())


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("kind", ["per run", "per run without seeds", "per cell", "our own"])
def test_a_users_results(kind: str, name: str, tmp_path: Path, figure: Figure) -> None:
    """Refused, or each mean that is there is the one that was, unless it says that it is of fewer runs."""
    numbers = random.Random(name)
    own = (RESULTS / "tables" / "dk_table5.scale0.01.seeds2.csv").read_text()
    texts = {"per run": PER_RUN, "per run without seeds": WITHOUT_SEEDS, "per cell": PER_CELL, "our own": own}
    content = texts[kind].encode()
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    original = _means(path)
    for _ in range(figure(2, 10)):
        path.write_bytes(MUTATIONS[name](content, numbers))
        try:
            found = _means(path)
        except ValueError as error:
            _assert_names_file_and_line(error, path)
            continue
        for cell, summary in found.items():
            as_it_was = original.get(cell, summary)  # a name that is none of the file's is another cell
            assert summary == as_it_was or summary.n < as_it_was.n


def test_the_table_is_shown_with_a_run_less_and_the_exit_code_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here a table that is whole in the repository."""
    shutil.copytree(RESULTS / "records", tmp_path / "records")
    assert command.main(["tables", "aconv_section4_1", "--results", str(tmp_path)]) == 0
    before = _lines(tmp_path / "tables" / "aconv_section4_1.csv")
    hit = before[0]["run_id"]
    path = store.path_of(tmp_path / "records", hit, 3)
    path.write_text(path.read_text().replace("9", "8", 1))
    capsys.readouterr()
    assert command.main(["tables", "aconv_section4_1", "--results", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert ".json is not a record: line " in line  # its folder is shortened
    assert "delete it to run it again" in line
    after = _lines(tmp_path / "tables" / "aconv_section4_1.csv")
    assert [(line["n"], line["num_seeds"]) for line in after if line["run_id"] == hit] == [("4", "5")]
    assert "4/5" in (tmp_path / "tables" / "aconv_section4_1.md").read_text()
    kept = [(line["mean"], line["std"]) for line in after if line["run_id"] != hit]
    assert kept == [(line["mean"], line["std"]) for line in before if line["run_id"] != hit]
    assert len(kept) == 10


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _key(entry: Any) -> tuple[Any, ...]:
    return (entry.table, entry.metric, *sorted(entry.labels.items()), *sorted(getattr(entry, "than", {}).items()))


def _value(entry: Any) -> tuple[Any, ...]:
    return entry.value, getattr(entry, "spread", None), getattr(entry, "best", None), getattr(entry, "num_runs", None)


def _means(path: Path) -> Mapping[str, Any]:
    return {f"{row.table} {row.labels} {row.metric}": row.ours for row in compare(path).rows}


def _assert_names_file_and_line(error: ValueError, path: Path) -> None:
    where, _, message = str(error).removeprefix(f"{path}:").partition(": ")
    assert where.isdecimal(), error
    assert message
    assert "\n" not in str(error)
