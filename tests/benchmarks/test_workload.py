import dataclasses
from pathlib import Path

from convrepro.benchmarks.settings import Settings
from convrepro.benchmarks.workload import in_fresh_results, whole_data_set, workload
from convrepro.protocols.phases import phases_of
from convrepro.protocols.train import load_data


def test_a_workload_is_the_papers_recipe_and_augmentation(settings: Settings) -> None:
    full = dataclasses.replace(settings, quick=False)
    resnet, cnn = (workload(full, model=model, num_train=50, num_epochs=7) for model in ("resnet20", "cnn4"))
    assert (resnet.recipe.name, resnet.recipe.batch_size, resnet.model["depth"]) == ("dk_sgd", 64, 20)
    assert (cnn.recipe.name, cnn.recipe.batch_size, cnn.model["filters"]) == ("dk_adam", 128, 64)
    assert (cnn.num_epochs, cnn.recipe.milestones, cnn.machine.threads) == (7, [], 1)
    augmentation = cnn.recipe.augmentation
    assert (augmentation.crop_padding, augmentation.crop_mode, augmentation.flip_probability) == (4, "reflect", 0.5)


def test_a_workload_trains_once_and_evaluates_on_the_test_images_only(settings: Settings) -> None:
    config = workload(settings, model="cnn4", num_train=50, num_epochs=1)
    (phase,), _ = phases_of(config, load_data(config))
    assert len(phase.train) == 50
    assert {name: len(split) for name, split in phase.evaluations.items()} == {"test": 10}


def test_the_whole_data_set_is_read_from_its_files_where_they_are(settings: Settings) -> None:
    there = dataclasses.replace(settings, source="cifar10_jpeg", data_dir=Path("somewhere"))
    config = whole_data_set(there, model="cnn4", num_epochs=1)
    assert (config.dataset._target_, config.machine.data_dir) == ("convrepro.data.pack.read", "somewhere")
    assert config.dataset.num_train_images == 50_000


def test_without_its_files_it_is_random(settings: Settings) -> None:
    config = whole_data_set(settings, model="cnn4", num_epochs=1, overrides=["model.filters=2"])
    assert len(load_data(config).train) == config.dataset.num_train_images
    assert config.model["filters"] == 2


def test_fresh_results_are_all_that_changes(settings: Settings, tmp_path: Path) -> None:
    config = workload(settings, model="cnn4", num_train=50, num_epochs=1)
    fresh = in_fresh_results(config, tmp_path / "other")
    assert (fresh.machine.results_dir, fresh.machine.cache_dir) == (
        str(tmp_path / "other"),
        str(tmp_path / "other" / "cache"),
    )
    assert dataclasses.replace(fresh, machine=config.machine) == config
