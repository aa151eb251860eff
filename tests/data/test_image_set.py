"""Labelled images."""

import pickle

import numpy as np
import pytest
import torch

from convrepro.data.image_set import ImageSet, ImageSplit

IMAGES, LABELS = torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1])
LABELS_4 = torch.arange(4)


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


def masked(num_images: int = 4, side: int = 2) -> ImageSplit:
    masks = torch.arange(num_images * side * side, dtype=torch.uint8).view(num_images, 1, side, side)
    return ImageSplit(split(num_images, side).images_BCHW, torch.arange(num_images), masks=ImageSplit(masks, LABELS_4))


def test_masks_go_with_their_images() -> None:
    part = masked().subset([3, 1, 0]).subset([2, 1])
    assert part.masks is not None
    assert part.masks.images_BCHW[:, 0, 0, 0].tolist() == [0, 4]
    copy = pickle.loads(pickle.dumps(part))
    assert torch.equal(copy.masks.images_BCHW, part.masks.images_BCHW)
    moved = part.to(torch.device("meta"))
    assert moved.masks is not None
    assert moved.masks.stored_MHWC.device.type == "meta"


@pytest.mark.parametrize(("number", "side"), [(3, 2), (4, 3)])
def test_masks_that_do_not_fit(number: int, side: int) -> None:
    masks = ImageSplit(torch.zeros(number, 1, side, side, dtype=torch.uint8), torch.zeros(number, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"each image needs one mask of its size, got uint8 \(4, 1, 2, 2\) and "):
        ImageSplit(split().images_BCHW, LABELS_4, masks=masks)


def test_masks_have_one_channel() -> None:
    masks = ImageSplit(torch.zeros(4, 3, 2, 2, dtype=torch.uint8), LABELS_4)
    with pytest.raises(ValueError, match=r"one mask of its size, .* 4 of \(3, 2, 2\)"):
        ImageSplit(split().images_BCHW, LABELS_4, masks=masks)


def test_parts_of_the_same_images_are_joined_without_a_copy() -> None:
    whole = masked()
    joined = ImageSet(whole.subset([3, 1]), whole.subset([0])).joined()
    assert joined.stored_MHWC is whole.stored_MHWC
    assert joined.labels_B.tolist() == [3, 1, 0]
    assert joined.images_BCHW[:, 0, 0, 0].tolist() == [12, 4, 0]
    assert joined.masks is not None
    assert joined.masks.images_BCHW[:, 0, 0, 0].tolist() == [12, 4, 0]
    assert joined.subset([2, 0]).labels_B.tolist() == [0, 3]


def test_other_parts_are_joined_by_a_copy() -> None:
    joined = ImageSet(masked(), masked().subset([2])).joined()
    assert joined.images_BCHW[:, 0, 0, 0].tolist() == [0, 4, 8, 12, 8]
    assert joined.labels_B.tolist() == [0, 1, 2, 3, 2]
    assert joined.masks is not None
    assert joined.masks.images_BCHW[:, 0, 0, 0].tolist() == [0, 4, 8, 12, 8]


def test_parts_of_the_same_images_move_to_a_device_as_one() -> None:
    whole = masked()
    moved = ImageSet(whole.subset([0, 2]), whole.subset([1]), validation=whole.subset([3])).to(torch.device("meta"))
    assert moved.validation is not None
    assert moved.train.stored_MHWC is moved.test.stored_MHWC is moved.validation.stored_MHWC
    assert moved.train.masks is not None
    assert moved.test.masks is not None
    assert moved.train.masks.stored_MHWC is moved.test.masks.stored_MHWC
    assert [part.labels_B.tolist() for part in moved.parts] == [[0, 2], [3], [1]]


def test_parts_of_other_images_move_each() -> None:
    moved = ImageSet(split(), split(2), content_sha256="ab").to(torch.device("meta"))
    assert (len(moved.test.stored_MHWC), moved.test.stored_MHWC.device.type) == (2, "meta")
    assert moved.content_sha256 == "ab"


@pytest.mark.parametrize("name", ["test", "validation"])
def test_only_some_parts_with_masks(name: str) -> None:
    parts = {"test": masked(), "validation": masked()} | {name: split()}
    with pytest.raises(ValueError, match=f"training and {name} images must both have masks, or neither"):
        ImageSet(masked(), parts["test"], validation=parts["validation"])


def test_validation_images_share_the_shape() -> None:
    with pytest.raises(ValueError, match=r"training and validation images must share a shape"):
        ImageSet(split(), split(), validation=split(side=3))
