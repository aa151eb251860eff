"""``convrepro explain``."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import SERIAL, TINY_TABLE, Command

from convrepro import config_files
from convrepro.records import attempts

HEAVY = ("torch", "lightning", "hydra", "pandas", "matplotlib", "scipy", "numpy")
SMALL = ("tiny", "--images", "0.2", "--seeds", "1")


def test_a_cell_with_its_record(convrepro: Command) -> None:
    convrepro("run", *SMALL, "--only", "conv=dk", *SERIAL)
    code, out, err = convrepro("explain", "tiny", "conv=dk", *SMALL[1:])
    assert (code, err) == (0, "")
    assert out.startswith("tiny.images0.2.seeds1: a table for tests")
    assert "dataset=digits model=cnn4 conv=dk" in out
    for title in ("Verdict on test_error", "Seeds", "Curves", "Network", "What was computed", "Images", "Made with"):
        assert f"\n{title}" in out


def test_labels_may_stand_behind_the_options(convrepro: Command) -> None:
    ahead = convrepro("explain", "tiny", "conv=dk", "--seeds", "1")
    assert convrepro("explain", "tiny", "--seeds", "1", "conv=dk") == ahead
    assert "conv=dk" in ahead[1]


def test_a_cell_without_records_comes_with_the_command_that_makes_them(convrepro: Command) -> None:
    code, out, _ = convrepro("explain", "tiny", "conv=dk", "--scale", "0.5", "--results", "else where")
    assert code == 1
    assert "seeds 0, 1  missing" in out
    assert "`convrepro run tiny --scale 0.5 --results 'else where' --only conv=dk` makes them." in out


def test_a_run_that_failed_says_why(convrepro: Command) -> None:
    convrepro("run", *SMALL, "--only", "conv=dk", *SERIAL)
    record = next(Path("results/records").iterdir())
    record.unlink()
    attempts.claim(Path("results/runs") / record.stem).end("failed", "out of memory")
    code, out, _ = convrepro("explain", "tiny", "conv=dk", *SMALL[1:])
    assert code == 1
    assert "seed 0  failed: out of memory (attempt 1)" in out


def test_a_broken_record_is_named(convrepro: Command) -> None:
    convrepro("run", *SMALL, "--only", "conv=dk", *SERIAL)
    record = next(Path("results/records").iterdir())
    record.write_text("{")
    code, out, err = convrepro("explain", "tiny", "conv=dk", *SMALL[1:])
    assert code == 1
    assert "seed 0  unreadable" in out
    assert f"{record} is not a record" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=cnn4"], "2 cells of tiny are model=cnn4: conv=standard, conv=dk; name one."),
        (["conv=dkk"], "unknown conv 'dkk'; did you mean 'dk'?"),
        (["cov=dk"], "unknown label 'cov'; did you mean 'conv'?"),
        (["conv"], "unknown conv ''; known: dk, standard."),
    ],
)
def test_a_cell_that_is_not_one(convrepro: Command, words: list[str], message: str) -> None:
    assert convrepro("explain", "tiny", *words) == (2, "", f"convrepro: {message}\n")


@pytest.fixture
def uneven(convrepro: Command) -> None:
    """A table ``uneven``: blocks with different labels, and two cells that differ in their metric only."""
    base = {"dataset": ["digits"], "model": ["cnn4"]}
    grid = [
        {**base, "conv": ["standard"], "metrics": ["num_macs"], "overrides": ["protocol=count"]},
        {**base, "conv": ["standard"], "metrics": ["test_error"]},
        {**base, "conv": ["dk"]},
        {**base, "conv": ["dk"], "conv.points": [1, 5]},
    ]
    table = {**TINY_TABLE, "name": "uneven", "grid": grid}
    (config_files.CONFIG_DIR / "table" / "uneven.yaml").write_text(yaml.safe_dump(table, sort_keys=False))


@pytest.mark.usefixtures("uneven")
def test_the_command_singles_out_a_cell_without_a_label(convrepro: Command) -> None:
    _, out, _ = convrepro("explain", "uneven", "conv=dk", "conv.points=")
    assert "dataset=digits model=cnn4 conv=dk  (run" in out
    assert "`convrepro run uneven --only conv=dk --only conv.points=` makes them." in out


@pytest.mark.usefixtures("uneven")
def test_the_metric_is_a_label(convrepro: Command) -> None:
    assert "metric=num_macs, metric=test_error; name one" in convrepro("explain", "uneven", "conv=standard")[2]
    _, out, _ = convrepro("explain", "uneven", "conv=standard", "metric=num_macs")
    assert "Verdict on num_macs" in out
    assert "`convrepro run uneven --only conv=standard --only metric=num_macs` makes them." in out


@pytest.mark.usefixtures("uneven")
def test_labels_that_no_cell_has_together(convrepro: Command) -> None:
    code, _, err = convrepro("explain", "uneven", "conv=standard", "conv.points=5")
    assert code == 2
    assert "no cell of uneven has conv=standard conv.points=5; the nearest is dataset=digits" in err


@pytest.mark.usefixtures("uneven")
def test_a_long_list_of_cells_is_cut(convrepro: Command) -> None:
    _, _, err = convrepro("explain", "uneven", "model=cnn4")
    assert err.startswith("convrepro: 5 cells of uneven are model=cnn4: conv=standard metric=num_macs conv.points=")
    assert err.endswith(" more; name one.\n")


def test_explaining_imports_nothing_heavy(tmp_path: Path) -> None:
    """The second time: the first keeps the table."""
    code = f"""
import sys
from convrepro.cli.main import main
main(["explain", "dk_table6", "model=cnn4", "conv=dk", "--results", {str(tmp_path)!r}])
print([name for name in {HEAVY} if name in sys.modules])
"""
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]"
