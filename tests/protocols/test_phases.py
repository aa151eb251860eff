"""Splits and phases."""

import dataclasses

import numpy as np
import pytest
import torch

from convrepro.data import ImageSet, ImageSplit
from convrepro.protocols.compose import compose
from convrepro.protocols.phases import phases_of
from convrepro.protocols.schema import Protocol


def _split(num_images: int) -> ImageSplit:
    """Images whose first pixel is their index, of ten classes in turn."""
    index = torch.arange(num_images)
    return ImageSplit(images_BCHW=index.to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 4, 4), labels_B=index % 10)


DATA = ImageSet(train=_split(200), test=_split(30))
PROTOCOL = dataclasses.replace(compose([]).protocol, validation_images=50)


def _protocol(**changes: object) -> Protocol:
    return dataclasses.replace(PROTOCOL, **changes)


def test_one_phase_holds_validation_out_of_training() -> None:
    (phase,), splits = phases_of(_protocol(), DATA)
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
    (choose, train), splits = phases_of(_protocol(retrain=True), DATA)
    assert (choose.name, len(choose.train), list(choose.evaluations)) == ("select", 150, ["validation"])
    assert (train.name, len(train.train), list(train.evaluations)) == ("train", 200, ["test"])
    assert splits["retrain"]["num_images"] == 200


def test_a_share_of_the_images_keeps_the_proportions_and_the_whole_test_set() -> None:
    (phase,), splits = phases_of(_protocol(images=0.5), DATA)
    assert (len(phase.train), len(phase.evaluations["validation"])) == (75, 25)
    assert splits["test"]["num_images"] == 30
    assert np.bincount(phase.train.labels_B.numpy()).max() <= 8


def test_no_validation_images_no_validation() -> None:
    (phase,), _ = phases_of(_protocol(validation_images=0), DATA)
    assert list(phase.evaluations) == ["test"]
    assert len(phase.train) == 200


def test_validation_cannot_take_everything() -> None:
    with pytest.raises(ValueError, match="must leave images to train on: 200 of 200"):
        phases_of(_protocol(validation_images=200), DATA)
