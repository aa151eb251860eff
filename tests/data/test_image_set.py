"""Labelled images."""

import numpy as np
import pytest
import torch

from convrepro.data.image_set import ImageSet, ImageSplit

IMAGES, LABELS = torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1])


def split(num_images: int = 4, side: int = 2) -> ImageSplit:
    images = torch.arange(num_images * side * side, dtype=torch.uint8).view(num_images, 1, side, side)
    return ImageSplit(images, torch.arange(num_images))


def test_length_is_the_number_of_images() -> None:
    assert len(split(4)) == 4


@pytest.mark.parametrize("indices", [[2, 0], np.array([2, 0]), torch.tensor([2, 0])])
def test_subset_keeps_the_order_of_its_indices(indices: list[int]) -> None:
    subset = split().subset(indices)
    assert subset.labels_B.tolist() == [2, 0]
    assert subset.images_BCHW[:, 0, 0, 0].tolist() == [8, 0]


def test_subset_of_a_subset_shares_the_images() -> None:
    whole = split()
    part = whole.subset([3, 1, 0]).subset([2, 1])
    assert part.labels_B.tolist() == [0, 1]
    assert part.images_BCHW[:, 0, 0, 0].tolist() == [0, 4]
    assert part.stored_MHWC.data_ptr() == whole.stored_MHWC.data_ptr()


def test_images_with_channels_last_are_kept_without_a_copy() -> None:
    images_BHWC = torch.zeros(2, 4, 5, 3, dtype=torch.uint8)
    part = ImageSplit(images_BHWC.permute(0, 3, 1, 2), LABELS)
    assert part.stored_MHWC.data_ptr() == images_BHWC.data_ptr()
    assert part.image_shape == (3, 4, 5)


def test_set_moves_to_a_device_once() -> None:
    """``meta`` stands for a device with memory of its own."""
    moved = ImageSet(split(), split()).to(torch.device("meta"))
    part = moved.train.subset([2]).to(torch.device("meta"))
    assert part.stored_MHWC is moved.train.stored_MHWC
    assert part.labels_B.tolist() == [2]


def test_images_that_are_there_already_do_not_move() -> None:
    part = split()
    assert part.to(torch.device("cpu")) is part


@pytest.mark.parametrize("indices", [[], [4], [-1]])
def test_subset_out_of_range(indices: list[int]) -> None:
    with pytest.raises(ValueError, match=r"must lie in 0 \.\. 3, and be at least one"):
        split().subset(indices)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES.float(), LABELS, r"`images_BCHW` must be uint8 .* got float32 \(2, 1, 2, 2\)"),
        (IMAGES[0], LABELS, r"of 4 dimensions, got uint8 \(1, 2, 2\)"),
        (IMAGES, LABELS.byte(), r"`labels_B` must be int64 .* got uint8 \(2,\)"),
        (IMAGES, LABELS[:1], r"one label, got uint8 \(2, 1, 2, 2\) and int64 \(1,\)"),
        (IMAGES[:0], LABELS[:0], r"one label, got uint8 \(0, 1, 2, 2\)"),
        (IMAGES, LABELS - 1, "labels must count from 0, got -1"),
    ],
)
def test_tensors_that_do_not_fit(images: torch.Tensor, labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageSplit(images, labels)


def test_training_and_test_images_share_a_shape() -> None:
    with pytest.raises(ValueError, match=r"must share a shape, got \(1, 2, 2\) and \(1, 3, 3\)"):
        ImageSet(split(side=2), split(side=3))
