"""Images of noise in the place of a data set."""

import torch

from convrepro.protocols.composer import compose
from convrepro.protocols.generated import generated


def test_they_have_the_data_sets_shape_and_classes() -> None:
    split = generated(compose(["dataset=cifar10"]), 50)
    assert (len(split), split.image_shape) == (50, (3, 32, 32))
    assert set(split.labels_B.tolist()) <= set(range(10))
    assert len(split.images_BCHW.unique()) == 256


def test_the_same_ones_each_time() -> None:
    one, other = (generated(compose(["dataset=mnist"]), 5) for _ in range(2))
    assert torch.equal(one.images_BCHW, other.images_BCHW)


def test_stored_images_are_larger_than_those_that_are_shown() -> None:
    config = compose(["dataset=imagenet"])
    assert list(generated(config, 1).image_shape[1:]) == config.dataset.stored_size == [256, 256]


def test_a_segmentation_has_masks_of_the_images_size() -> None:
    split = generated(compose(["dataset=oxford_pets", "protocol=aconv_unet"]), 4)
    assert split.masks is not None
    assert split.masks.image_shape == (1, 128, 128)
    assert set(split.masks.images_BCHW.unique().tolist()) == {0, 1, 2}
