"""Expected times."""

import dataclasses
from pathlib import Path

import pytest
from tests.protocols.test_run import TINY

from convrepro.protocols import grid
from convrepro.protocols.compose import compose
from convrepro.protocols.estimate import expected_seconds, work_of
from convrepro.protocols.run import run
from convrepro.records import Record


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    results_dir = tmp_path_factory.mktemp("results")
    measured = run(compose([*TINY, "model.filters=64", "recipe.epochs=1", f"machine.results_dir='{results_dir}'"]))
    return dataclasses.replace(measured, measured={**measured.measured, "wall_seconds": 10.0})


def test_work_is_proportional_to_the_epochs() -> None:
    half, whole = work_of(grid.plan("quickstart", scale=0.5).configs), work_of(grid.plan("quickstart").configs)
    assert sum(half.values()) == pytest.approx(sum(whole.values()) / 2)


def test_work_by_hand() -> None:
    """Standard CNN4 on digits: 8 epochs x MACs x (3 x 1,097 trained + 200 validated + 500 tested)."""
    planned = grid.plan("quickstart")
    macs = 64 * (9 * 64 + 9 * 64 * 64 + 9 * 64 * 16 + 9 * 64 * 4) + 64 * 4 * 10
    config = planned.configs[planned.table.cells[0].run_id]
    trained = config.dataset.num_train_images - 200
    expected = 8 * macs * (3 * trained + 200 + config.dataset.num_test_images)
    assert work_of(planned.configs)[planned.table.cells[0].run_id] == pytest.approx(expected)


def test_without_records_nothing_is_known(record: Record) -> None:
    planned = grid.plan("quickstart")
    assert set(expected_seconds(planned, [], "any").values()) == {None}
    assert set(expected_seconds(planned, [record], "another machine").values()) == {None}


def test_a_cell_like_one_that_was_measured_takes_time_in_proportion_to_its_work(record: Record) -> None:
    planned = grid.plan("quickstart")
    seconds = expected_seconds(planned, [record], str(record.environment["device"]))
    standard = planned.table.cells[0].run_id
    images = {name: split["num_images"] for name, split in record.splits.items()}
    done = record.num_macs * (3 * images["train"] + images["validation"] + images["test"])
    assert seconds[standard] == pytest.approx(10.0 * work_of(planned.configs)[standard] / done)


def test_a_count_costs_nothing() -> None:
    assert set(work_of(grid.plan("dk_table6").configs).values()) == {0.0}


def test_the_machine_has_no_part_in_the_work(tmp_path: Path) -> None:
    planned = grid.plan("quickstart", machine_overrides=[f"machine.results_dir='{tmp_path}'"])
    assert work_of(planned.configs) == work_of(grid.plan("quickstart").configs)
