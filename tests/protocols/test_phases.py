"""Splits and phases."""

import dataclasses

import numpy as np
import pytest
import torch

from convrepro.data import ImageSet, ImageSplit
from convrepro.protocols.composer import compose
from convrepro.protocols.phases import phases_of
from convrepro.protocols.schema import Config


def _split(num_images: int) -> ImageSplit:
    """Images whose first pixel is their index, of ten classes in turn."""
    index = torch.arange(num_images)
    return ImageSplit(images_BCHW=index.to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 4, 4), labels_B=index % 10)


DATA = ImageSet(train=_split(200), test=_split(30))
CONFIG = compose(["recipe.augmentation.crop_padding=0"])
PROTOCOL = dataclasses.replace(CONFIG.protocol, validation_images=50)


def _with(seed: int = 0, **changes: object) -> Config:
    dataset = dataclasses.replace(CONFIG.dataset, num_train_images=200)
    return dataclasses.replace(
        CONFIG,
        seed=seed,
        dataset=dataset,
        protocol=dataclasses.replace(PROTOCOL, **changes),  # type: ignore[arg-type]
    )


def _pixels(split: ImageSplit) -> set[int]:
    return set(split.images_BCHW[:, 0, 0, 0].tolist())


def test_one_phase_holds_validation_out_of_training() -> None:
    (phase,), splits = phases_of(_with(), DATA)
    assert (len(phase.train), list(phase.evaluations)) == (150, ["validation", "test"])
    assert {name: split["num_images"] for name, split in splits.items()} == {
        "train": 150, "validation": 50, "test": 30,
    }  # fmt: skip
    trained = set(phase.train.images_BCHW[:, 0, 0, 0].tolist())
    held_out = set(phase.evaluations["validation"].images_BCHW[:, 0, 0, 0].tolist())
    assert trained | held_out == set(range(200))
    assert np.bincount(phase.evaluations["validation"].labels_B.numpy()).tolist() == [5] * 10


def test_two_phases_choose_on_validation_then_train_on_everything() -> None:
    """Liu et al. 2021, Sec. 4.3: 45k + 5k, then all 50k."""
    (choose, train), splits = phases_of(_with(retrain=True), DATA)
    assert (choose.name, len(choose.train), list(choose.evaluations)) == ("select", 150, ["validation"])
    assert (train.name, len(train.train), list(train.evaluations)) == ("train", 200, ["test"])
    assert splits["retrain"]["num_images"] == 200


def test_a_share_of_the_images_keeps_the_proportions_and_the_whole_test_set() -> None:
    (phase,), splits = phases_of(_with(images=0.5), DATA)
    assert (len(phase.train), len(phase.evaluations["validation"])) == (75, 25)
    assert splits["test"]["num_images"] == 30
    assert np.bincount(phase.train.labels_B.numpy()).max() <= 8


def test_no_validation_images_no_validation() -> None:
    (phase,), _ = phases_of(_with(validation_images=0), DATA)
    assert list(phase.evaluations) == ["test"]
    assert len(phase.train) == 200


def test_validation_cannot_take_everything() -> None:
    with pytest.raises(ValueError, match="must leave images to train on: 200 of 200"):
        phases_of(_with(validation_images=200), DATA)


def test_a_fraction_of_the_training_images_validates() -> None:
    (choose, train), _ = phases_of(_with(validation_images=0, validation_fraction=0.1, retrain=True), DATA)
    assert (len(choose.train), len(choose.evaluations["validation"]), len(train.train)) == (180, 20, 200)


def test_the_official_validation_part_takes_no_training_image() -> None:
    data = dataclasses.replace(DATA, validation=_split(20))
    (phase,), splits = phases_of(_with(validation_images=0, official_validation=True), data)
    assert (len(phase.train), list(phase.evaluations)) == (200, ["validation", "test"])
    assert splits["validation"]["num_images"] == len(phase.evaluations["validation"]) == 20


def test_no_official_validation_part_is_said() -> None:
    with pytest.raises(ValueError, match="needs a data set with a validation part, got one without"):
        phases_of(_with(validation_images=0, official_validation=True), DATA)


def test_each_seed_draws_a_test_part_of_its_own() -> None:
    """Tek et al. 2021, Algorithm 1: the split is drawn anew in each repeat; every image is in one of its parts."""
    data = ImageSet(train=DATA.train, test=_split(256).subset(range(200, 230)))
    tests = []
    for seed in (0, 1, 0):
        (phase,), splits = phases_of(_with(seed=seed, validation_images=0, random_test=True), data)
        trained, tested = _pixels(phase.train), _pixels(phase.evaluations["test"])
        assert (len(trained), len(tested), trained | tested) == (200, 30, set(range(230)))
        assert splits["train"]["num_images"] == 200
        tests.append((tested, splits["test"]["sha256"]))
    assert tests[0] == tests[2] != tests[1]
