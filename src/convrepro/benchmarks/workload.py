"""The runs that are timed: real configs of the project, on few images."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from convrepro.benchmarks import images
from convrepro.benchmarks.settings import Settings
from convrepro.protocols.composer import compose
from convrepro.protocols.schema import Config, plain

MOST_TRAIN_IMAGES = 12_800  # of one run, where a section does not take the whole data set
FULL_TRAIN_IMAGES = 50_000  # of CIFAR-10, whose test set is a fifth of that, as here
_TINY = {"cnn4": ("model.filters=4",), "resnet20": ("model.depth=8", "model.widths=[4,4,4]")}


def workload(
    settings: Settings,
    *,
    model: str,
    num_train: int,
    num_epochs: int,
    conv: str = "standard",
    accelerator: str = "cpu",
    overrides: Sequence[str] = (),
) -> Config:
    """One seed of a network on CIFAR-10's shape, by its paper's recipe and augmentation, in a fresh results folder.

    Each epoch trains on ``num_train`` images and evaluates on a fifth as many.
    """
    tiny = _TINY.get(model, ()) if settings.quick else ()
    config = _composed(settings, model, conv, num_epochs, accelerator, [*tiny, *overrides])
    dataset = dataclasses.replace(
        config.dataset,
        _target_=f"{images.read.__module__}.{images.read.__name__}",
        files={},
        options={},
        num_train_images=num_train,
        num_test_images=num_train // 5,
    )
    machine = dataclasses.replace(config.machine, data_dir=str(settings.folder))
    return dataclasses.replace(config, dataset=dataset, machine=machine)


def whole_data_set(settings: Settings, *, model: str, num_epochs: int, overrides: Sequence[str] = ()) -> Config:
    """The same on all of CIFAR-10, read as a user's run reads it; random images where its files are not there."""
    if settings.source != images.PACK:
        num_train = settings.pick(FULL_TRAIN_IMAGES, MOST_TRAIN_IMAGES)
        folder = settings.fresh_folder()
        images.prepare(folder, dataset_node(), folder, num_train=num_train, num_test=num_train // 5)
        random = dataclasses.replace(settings, folder=folder)
        return workload(random, model=model, num_train=num_train, num_epochs=num_epochs, overrides=overrides)
    return _composed(settings, model, "standard", num_epochs, "cpu", overrides)


def dataset_node() -> dict[str, object]:
    """Config of the data set that the benchmarks take images from."""
    return plain(compose([f"dataset={images.PACK}"]).dataset)


def in_fresh_results(config: Config, folder: Path) -> Config:
    """The same run with nothing done of it yet."""
    machine = dataclasses.replace(config.machine, results_dir=str(folder), cache_dir=str(folder / "cache"))
    return dataclasses.replace(config, machine=machine)


def _composed(
    settings: Settings, model: str, conv: str, num_epochs: int, accelerator: str, overrides: Sequence[str]
) -> Config:
    config = compose(
        [
            *(f"model={model}", f"conv={conv}", f"dataset={images.PACK}", "recipe/augmentation=dk_cifar"),
            *("protocol=holdout_5000", "protocol.validation_images=0"),
            *(f"recipe.epochs={num_epochs}", "recipe.milestones=[]"),
            *(f"machine.threads={settings.threads}", f"machine.accelerator={accelerator}", "machine.download=false"),
            *overrides,
        ]
    )
    machine = dataclasses.replace(config.machine, data_dir=str(settings.data_dir))
    return in_fresh_results(dataclasses.replace(config, machine=machine), settings.fresh_folder())
