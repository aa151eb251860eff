"""``convrepro list``."""

from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import TINY_TABLE, Command

from convrepro import config_files


def line(out: str, name: str) -> str:
    return next(text for text in out.splitlines() if text.startswith(f"  {name} "))


def add_table(name: str, **changes: object) -> None:
    content = yaml.safe_dump({**TINY_TABLE, "name": name, **changes}, sort_keys=False)
    (config_files.CONFIG_DIR / "table" / f"{name}.yaml").write_text(content)


def test_every_config_has_its_line(convrepro: Command) -> None:
    code, out, _ = convrepro("list")
    assert code == 0
    for group in ("dataset", "model", "conv", "recipe", "protocol", "table"):
        for name in config_files.names(group):
            assert f"  {name} " in out


def test_a_group_may_be_named_as_in_an_override(convrepro: Command) -> None:
    assert convrepro("list", "conv") == convrepro("list", "operators")


def test_one_kind_alone(convrepro: Command) -> None:
    _, out, _ = convrepro("list", "operators")
    assert "dk_first" in out
    assert "resnet20" not in out


def test_a_table_says_what_it_shows_where_it_stands_and_what_it_costs(convrepro: Command) -> None:
    add_table("costly", source="Table 12", cost="12 GPU hours")
    _, out, _ = convrepro("list", "tables")
    assert line(out, "costly").rstrip().endswith("a table for tests (Table 12). Cost: 12 GPU hours")


def test_tables_stand_under_their_papers_in_the_order_of_their_numbers(convrepro: Command) -> None:
    add_table("dk_table10", paper="dk_cnn")
    names = [text.split()[0] for text in convrepro("list", "tables")[1].splitlines()[3:] if text.strip()]
    assert names[:4] == ["dk_cnn", "dk_table5", "dk_table6", "dk_table10"]
    assert names[4:7] == ["in", "quickstart", "tiny"]


def test_runs_are_counted_without_expanding_a_table(convrepro: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 seeds of 1 x 1 x 2 + 1 x 1 x 1 x 3 cells; metrics and overrides are no axes."""
    monkeypatch.setattr("convrepro.protocols.grid.plan", None)
    base = {"dataset": ["digits"], "model": ["cnn4"]}
    second = {**base, "conv": ["dk"], "conv.points": [1, 3, 5], "metrics": ["num_macs", "test_error"]}
    add_table("uneven", grid=[{**base, "conv": ["standard", "dk"]}, second])
    _, out, _ = convrepro("list", "tables")
    assert line(out, "uneven").split()[:2] == ["uneven", "10"]
    assert "what is here of 5 tables is not known; `convrepro status` finds it" in out


def test_records_that_are_here(convrepro: Command) -> None:
    Path("results/records").mkdir(parents=True)
    run_id = convrepro("status", "tiny")[1].split()[0]
    assert line(convrepro("list", "tables")[1], "tiny").split()[1:3] == ["0/4", "none"]
    Path(f"results/records/{run_id}-seed1.json").write_text("{}")
    assert line(convrepro("list", "tables")[1], "tiny").split()[1:3] == ["1/4", "partial"]


def test_a_complete_table(convrepro: Command) -> None:
    Path("results/records").mkdir(parents=True)
    for seed in (0, 1):
        for row in convrepro("status", "tiny")[1].splitlines():
            Path(f"results/records/{row.split()[0]}-seed{seed}.json").write_text("{}")
    out = convrepro("list", "tables")[1]
    assert line(out, "tiny").split()[1:3] == ["4/4", "complete"]
    assert "what is here of 3 tables is not known" in out


def test_another_results_folder(convrepro: Command) -> None:
    Path("elsewhere").mkdir()
    convrepro("status", "--results", "elsewhere")
    assert line(convrepro("list", "tables", "--results", "elsewhere")[1], "tiny").split()[1:3] == ["0/4", "none"]
    assert line(convrepro("list", "tables")[1], "tiny").split()[1] == "4"
