"""From a table's file to its cells."""

import shutil
from pathlib import Path

import pytest
import yaml

from convrepro import config_files, papers
from convrepro.protocols import grid, table_names


def test_table5_is_five_networks_in_three_forms() -> None:
    planned = grid.plan("dk_table5")
    labels = [tuple(cell.labels.values()) for cell in planned.table.cells]
    assert len(labels) == len(set(labels)) == 15
    assert labels[0] == ("fashion_mnist", "cnn4", "standard")
    assert labels[-1] == ("fashion_mnist", "densenet52", "dk_first")
    assert planned.table.num_seeds == 5
    assert planned.configs[planned.table.cells[0].run_id].recipe.name == "dk_adam"
    assert planned.configs[planned.table.cells[3].run_id].recipe.name == "dk_sgd"


def test_other_axes_are_overrides_and_labels() -> None:
    planned = grid.plan("dk_figure5")
    cell = planned.table.cells[0]
    assert cell.labels == {
        "dataset": "cifar100", "model": "resnet32", "conv": "dk_first", "conv.points": "2", "conv.pieces": "1",
    }  # fmt: skip
    assert planned.configs[cell.run_id].conv["points"] == 2
    assert len({cell.run_id for cell in planned.table.cells}) == len(planned.table.cells) == 20


def test_the_anchor_of_figure5_is_a_cell_of_table8() -> None:
    """Three points and two pieces are the setting of every other table (Sec. 3.4)."""
    of_table8 = {cell.run_id for cell in grid.plan("dk_table8").table.cells}
    shared = [cell for cell in grid.plan("dk_figure5").table.cells if cell.run_id in of_table8]
    assert [(cell.labels["conv.points"], cell.labels["conv.pieces"]) for cell in shared] == [("3", "2")]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({}, "dk_table7"),
        ({"scale": 0.02}, "dk_table7.scale0.02"),
        ({"images": 0.5, "num_seeds": 2}, "dk_table7.images0.5.seeds2"),
        ({"num_seeds": 5}, "dk_table7"),
        ({"datasets": {"": "cifar10_jpeg"}}, "dk_table7.cifar10_jpeg"),
        (
            {"scale": 0.005, "images": 0.1, "num_seeds": 3, "datasets": {"": "cifar10_jpeg"}},
            "dk_table7.scale0.005.images0.1.seeds3.cifar10_jpeg",
        ),
    ],
)
def test_a_tables_name_tells_how_it_was_asked_for(arguments: dict[str, object], name: str) -> None:
    planned = grid.plan("dk_table7", **arguments)
    assert planned.table.name == name
    config, marks = table_names.unmarked(name)
    assert grid.plan(config, **marks) == planned


def test_substituted_and_scaled_cells_say_so() -> None:
    cell = grid.plan("dk_table7", datasets={"": "cifar10_jpeg"}, scale=0.5).table.cells[0]
    assert not cell.official_data
    assert cell.scaled


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 2.0}, r"`protocol.scale` must lie in"),
        ({"num_seeds": 0}, "`num_seeds` must be at least 1, got 0"),
        ({"datasets": {"": "cifar11"}}, "unknown dataset 'cifar11'; did you mean 'cifar10'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid.plan("dk_table7", **arguments)


def test_a_count_cannot_be_scaled() -> None:
    with pytest.raises(ValueError, match="table 'dk_table6' trains nothing: there is nothing to scale"):
        grid.plan("dk_table6", scale=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"marginn": 1}, r"configs/table/mine\.yaml: .*marginn"),
        ({"num_seeds": "many"}, r"configs/table/mine\.yaml: Value 'many'"),
        ({"assumptions": [{"a word": "and what follows it"}]}, r"mine\.yaml: .*assumptions"),
        (
            {"selection": "luckiest"},
            r"mine\.yaml: `selection` must be one of last, best_on_validation, best_on_test",
        ),
        ({"grid": []}, r"mine\.yaml: `grid` must have a block"),
        ({"grid": [{"model": ["cnn4"], "dataset": ["digits"]}]}, r"mine\.yaml: a block of `grid` lacks conv"),
        *(
            (
                {"grid": [{"dataset": ["digits"], "model": ["cnn4"], "conv": ["standard"], "margin": margin}]},
                r"mine\.yaml: `margin` of a block must be one number of at least 0, as in \[0\.05\], got \[",
            )
            for margin in ([], [0.1, 0.2], [-0.1], ["wide"], [None], [True], [float("inf")], [float("nan")])
        ),
    ],
)
def test_a_defective_table_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], message: str
) -> None:
    content = {**config_files.load("table", "quickstart"), **change}
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "mine.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(config_files, "CONFIG_DIR", tmp_path)
    with pytest.raises(ValueError, match=message):
        grid.plan("mine")


@pytest.mark.parametrize("table", ["aconv_table2", "aconv_table3"])
def test_margins_of_data_sets_are_twice_the_larger_printed_spread(table: str) -> None:
    spreads: dict[str, list[float]] = {}
    for number in papers.load("adaptive_kernels").numbers:
        if number.table == table and number.spread is not None:
            spreads.setdefault(number.labels["dataset"], []).append(number.spread)
    cells = grid.plan(table).table.cells
    assert {cell.labels["dataset"] for cell in cells} == set(spreads)
    for cell in cells:
        assert cell.margin == pytest.approx(2 * max(spreads[cell.labels["dataset"]]))
        assert "margin" not in cell.labels


def test_a_margin_is_no_part_of_what_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = {"dataset": ["digits"], "model": ["cnn4"], "conv": ["standard"]}
    before = {**config_files.load("table", "quickstart"), "grid": [block]}
    configs = tmp_path / "configs"
    shutil.copytree(config_files.CONFIG_DIR, configs)
    monkeypatch.setattr(config_files, "CONFIG_DIR", configs)
    planned = []
    for margin in ({}, {"margin": [0.05]}):
        (configs / "table" / "mine.yaml").write_text(yaml.safe_dump({**before, "grid": [{**block, **margin}]}))
        planned += grid.plan("mine").table.cells
    assert [cell.margin for cell in planned] == [None, 0.05]
    assert len({cell.run_id for cell in planned}) == 1
