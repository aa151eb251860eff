"""Expected times, by hand."""

import dataclasses
from pathlib import Path

import pytest
import torch

from convrepro.data import ImageSet, ImageSplit
from convrepro.protocols import grid
from convrepro.protocols.calibration import Overheads, Speed
from convrepro.protocols.composer import compose
from convrepro.protocols.estimate import seconds_of, seconds_of_task, total_seconds, work_of
from convrepro.protocols.phases import phases_of
from convrepro.protocols.schema import Config

NOTHING = Overheads(process=0.0, run=0.0, epoch=0.0)


def _speed(**parts: float) -> Speed:
    return Speed(**{**{entry.name: 0.0 for entry in dataclasses.fields(Speed)}, **parts})


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


def test_a_count_costs_nothing() -> None:
    assert set(work_of(grid.plan("dk_table6").configs).values()) == {0.0}


def test_the_machine_has_no_part_in_the_work(tmp_path: Path) -> None:
    planned = grid.plan("quickstart", machine_overrides=[f"machine.results_dir='{tmp_path}'"])
    assert work_of(planned.configs) == work_of(grid.plan("quickstart").configs)


@pytest.fixture
def quickstart() -> Config:
    """8 epochs of 1,097 images in batches of 64, then 200 + 500 that are evaluated; one phase."""
    config = compose(["dataset=digits", "model=cnn4", "recipe=quickstart"])
    num_images = (config.dataset.num_train_images, config.dataset.num_test_images)
    assert (num_images, config.protocol.validation_images) == ((1297, 500), 200)
    return config


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"step": 64.0}, 8 * 1097),  # a second per image
        ({"drawn_image": 1.0}, 8 * 1097),
        ({"evaluated_image": 1.0}, 8 * 700),
        ({"checkpoint": 1.0}, 8),
        ({"build": 1.0}, 2),  # once to see whether it can be built
    ],
)
def test_each_part_is_counted(quickstart: Config, parts: dict[str, float], expected: float) -> None:
    assert seconds_of([quickstart], _speed(**parts), NOTHING) == pytest.approx(expected)


def test_what_every_run_takes_is_taken_by_each_seed_and_what_every_epoch_takes_by_all(quickstart: Config) -> None:
    seeds = [dataclasses.replace(quickstart, seed=seed) for seed in range(3)]
    assert seconds_of(seeds, _speed(), Overheads(process=7.0, run=10.0, epoch=1.0)) == pytest.approx(3 * 10 + 8)


def test_a_recipe_that_trains_twice_is_counted_twice() -> None:
    """Table 7: 300 epochs of 45,000 images, evaluated on 5,000; then of 50,000, evaluated on 10,000."""
    config = compose(["dataset=cifar10", "model=resnet20", "protocol.scale=0.01"])
    assert seconds_of([config], _speed(step=64.0), NOTHING) == pytest.approx(3 * 95_000)
    assert seconds_of([config], _speed(evaluated_image=1.0), NOTHING) == pytest.approx(3 * 15_000)
    assert seconds_of([config], _speed(build=1.0, checkpoint=1.0), NOTHING) == pytest.approx(3 + 2 * 3)


@pytest.mark.parametrize("protocol", ["dk_cifar", "dk_fashion_mnist", "holdout_200"])
@pytest.mark.parametrize("images", [1.0, 0.25])
def test_images_are_counted_as_they_are_split(protocol: str, images: float) -> None:
    config = compose(["dataset=digits", f"protocol={protocol}", "protocol.validation_images=100"])
    config = dataclasses.replace(config, protocol=dataclasses.replace(config.protocol, images=images))
    train, test = (
        ImageSplit(torch.zeros(num_images, 1, 8, 8, dtype=torch.uint8), torch.arange(num_images) % 10)
        for num_images in (config.dataset.num_train_images, config.dataset.num_test_images)
    )
    phases, _ = phases_of(config, ImageSet(train=train, test=test))
    config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, epochs=1))
    trained = seconds_of([config], _speed(drawn_image=1.0), NOTHING)
    evaluated = seconds_of([config], _speed(evaluated_image=1.0), NOTHING)
    assert trained == pytest.approx(sum(len(phase.train) for phase in phases), rel=0.02)  # a share of each class
    assert evaluated == sum(len(split) for phase in phases for split in phase.evaluations.values())


@pytest.mark.parametrize(
    ("seconds", "num_processes", "total"),
    [
        ([3.0, 1.0, 2.0], 1, 6.0),
        ([3.0, 1.0, 2.0], 2, 3.0),  # the third starts when the second has ended
        ([1.0, 1.0, 4.0], 2, 5.0),  # not 3: one run cannot be shared
        ([1.0], 4, 1.0),
        ([], 2, 0.0),
    ],
)
def test_a_run_starts_as_soon_as_a_process_is_free(seconds: list[float], num_processes: int, total: float) -> None:
    assert total_seconds(seconds, num_processes) == total


@pytest.mark.parametrize(("protocol", "seconds"), [("step_timing", 10.0), ("inference_timing", 10.0), ("count", 0.0)])
def test_tasks_without_a_data_set_take_what_they_usually_take(protocol: str, seconds: float) -> None:
    """Two seeds of rounds of 3 s, with 2 s before them."""
    config = compose([f"protocol={protocol}"])
    assert seconds_of_task([config, dataclasses.replace(config, seed=1)]) == seconds


def test_a_task_that_learns_filters_takes_a_second_or_two() -> None:
    (config, *_) = grid.plan("aconv_section4_1").configs.values()
    assert 1.0 <= seconds_of_task([config]) <= 2.0
