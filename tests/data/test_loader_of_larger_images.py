"""Batches of stored images that are larger than what networks are given, of masks, and of resampled images."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from convrepro import config_files
from convrepro.data import ImageSet, augmentation, decoded, resampling
from convrepro.data.image_set import ImageSplit
from convrepro.data.loader import EpochLoader, EvaluationLoader

CPU = torch.device("cpu")
PLAIN = {"mean": [0.0] * 3, "std": [1 / 255] * 3, "device": CPU}  # pixels stay the numbers that they are
NONE = config_files.load("recipe/augmentation", "none")
EVERYTHING = {
    "crop_padding": 2, "crop_mode": "reflect", "flip_probability": 0.5, "shift": 0.2, "zoom": 0.1,
    "brightness_of_flipped": 0.2, "erase_probability": 0.5,
}  # fmt: skip
RESIZED = {"resized_crop_area": [0.08, 1.0], "resized_crop_aspect": [0.75, 4 / 3]}
AUGMENTATIONS = {
    "none": NONE,
    "everything": NONE | EVERYTHING,
    "everything and resized": NONE | EVERYTHING | RESIZED,
    **{
        name: config_files.load("recipe/augmentation", name)
        for name in ("imagenet", "aconv_faces_simple", "aconv_resnet", "aconv_unet")
    },
}


def split(num_images: int = 11, side: int = 12) -> ImageSplit:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (num_images, 3, side, side), dtype=torch.uint8, generator=generator)
    labels = torch.arange(num_images)
    return ImageSplit(images, labels, masks=ImageSplit(images[:, :1], labels))


def without_masks(part: ImageSplit) -> ImageSplit:
    return ImageSplit(part.images_BCHW, part.labels_B)


def loader(part: ImageSplit, changes: dict[str, Any], **keys: Any) -> EpochLoader:
    return EpochLoader(part, **{"batch_size": 4, "augmentation": changes, "image_size": [8, 8], **PLAIN, **keys})


def joined(batches: Any) -> tuple[torch.Tensor, torch.Tensor]:
    x_BCHW, targets = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
    return x_BCHW, targets


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_in_bulk_are_the_rows_of_the_batches(name: str) -> None:
    epoch = loader(split(), AUGMENTATIONS[name]).epoch(3, 1)
    x_BCHW, masks_BHW = joined(epoch)
    assert x_BCHW.shape == (11, 3, 8, 8)
    assert (masks_BHW.shape, masks_BHW.dtype) == ((11, 8, 8), torch.int64)
    for start, stop in ((0, 11), (3, 9), (10, 11)):
        some, some_masks = epoch.images(start, stop)
        assert torch.equal(some, x_BCHW[start:stop])
        assert torch.equal(some_masks, masks_BHW[start:stop])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_epoch_is_the_same_from_a_file(tmp_path: Path, name: str) -> None:
    """Read ahead by another process, as sets that are too large for memory are."""
    dataset = {
        "name": "tiny", "files": {}, "num_train_images": 7, "num_validation_images": 3, "num_test_images": 1,
        "in_channels": 3, "image_size": [8, 8], "stored_size": [12, 12], "options": {"masks": True},
    }  # fmt: skip
    whole = split()
    small = ImageSet(whole.subset(range(7)), whole.subset([10]), validation=whole.subset([9, 8, 7]))
    decoded.write(tmp_path / "a.bin", dataset, small, num_workers=1)
    large = decoded.open_set(tmp_path / "a.bin", dataset, stays=True)
    for keys in ({}, {"num_workers": 1}):
        epochs = [loader(images.train, AUGMENTATIONS[name], **keys).epoch(0, 5) for images in (small, large)]
        for (x, masks), (y, others) in zip(*epochs, strict=True):
            assert torch.equal(x, y)
            assert torch.equal(masks, others)
    assert small.validation is not None
    assert large.validation is not None
    loaders = [
        EvaluationLoader(part, batch_size=2, image_size=[8, 8], **PLAIN)
        for part in (small.validation, large.validation)
    ]
    for (x, masks), (y, others) in zip(*loaders, strict=True):
        assert torch.equal(x, y)
        assert torch.equal(masks, others)


def test_masks_are_cropped_and_mirrored_as_the_images_are() -> None:
    """Masks that equal the images' first channel still do, unless pixels are mixed or changed."""
    only_moved = {"crop_padding": 2, "crop_mode": "edge", "flip_probability": 0.5}
    x_BCHW, masks_BHW = joined(loader(split(), NONE | only_moved, image_size=None).epoch(0, 0))
    assert torch.equal(x_BCHW[:, 0].round().long(), masks_BHW)
    changed = {"erase_probability": 1.0, "brightness_of_flipped": 0.2}
    _, others = joined(loader(split(), NONE | only_moved | changed, image_size=None).epoch(0, 0))
    assert torch.equal(others, masks_BHW)


def test_labels_without_masks() -> None:
    epoch = loader(without_masks(split()), AUGMENTATIONS["everything"]).epoch(0, 0)
    assert sorted(joined(epoch)[1].tolist()) == list(range(11))


def test_an_epoch_equals_a_loop_over_images() -> None:
    """Box, shift and zoom, pad and crop, flip, brightness."""
    changes, part = NONE | EVERYTHING | RESIZED | {"erase_probability": 0.0}, split()
    draws = augmentation.draw(changes, num_images=11, image_size=(8, 8), stored_size=(12, 12), seed=2, epoch=4)
    assert draws.boxes_N4 is not None
    assert draws.affine_N4 is not None
    assert draws.brightness_N is not None
    x_BCHW, _ = joined(loader(part, changes).epoch(2, 4))
    for i, image in enumerate(draws.order_N.tolist()):
        shown = part.images_BCHW[image : image + 1].permute(0, 2, 3, 1)
        shown = resampling.crop_to_size(shown, draws.boxes_N4[i : i + 1], (8, 8))
        shown = resampling.shift_and_zoom(shown, draws.affine_N4[i : i + 1])
        expected = reference.pad(shown[0].permute(2, 0, 1), [2], padding_mode="reflect")
        expected = reference.crop(expected, *draws.offsets_N2[i].tolist(), 8, 8)
        if draws.flips_N[i]:
            change = float(draws.brightness_N[i])
            expected = (reference.horizontal_flip(expected).float() + change).round().clamp(0, 255)
        torch.testing.assert_close(x_BCHW[i], expected.float())


def test_a_larger_image_shows_a_random_window() -> None:
    """12 - 8 = 4 pixels are free on each axis: 25 windows, all of them in 200 images."""
    changes, part = NONE, without_masks(split(200))
    draws = augmentation.draw(changes, num_images=200, image_size=(8, 8), stored_size=(12, 12), seed=0, epoch=0)
    x_BCHW, labels_B = joined(loader(part, changes, batch_size=64).epoch(0, 0))
    windows = set()
    assert draws.windows_N2 is not None
    for x_CHW, image, (top, left) in zip(x_BCHW, labels_B, draws.windows_N2.tolist(), strict=True):
        assert torch.equal(x_CHW.round(), part.images_BCHW[image][:, top : top + 8, left : left + 8].float())
        windows.add((top, left))
    assert windows == {(top, left) for top in range(5) for left in range(5)}


@pytest.mark.parametrize(("stored", "shown"), [(12, 8), (13, 8), (15, 8), (8, 8), (11, 10)])
def test_evaluation_shows_the_centre(stored: int, shown: int) -> None:
    part = split(3, stored)
    evaluation = EvaluationLoader(part, batch_size=2, image_size=[shown, shown], **PLAIN)
    x_BCHW, masks_BHW = joined(evaluation)
    expected = reference.center_crop(part.images_BCHW, [shown, shown])
    assert torch.equal(x_BCHW.round(), expected.float())
    assert torch.equal(masks_BHW, expected[:, 0].long())
    assert x_BCHW.is_contiguous(memory_format=torch.channels_last)


def test_zeros_are_no_padding_of_masks() -> None:
    with pytest.raises(ValueError, match="`crop_mode` must be reflect or edge for images with masks, got zero"):
        loader(split(), NONE | {"crop_padding": 2})


@pytest.mark.parametrize("size", [[13, 8], [8, 13], [0, 8]])
def test_more_than_is_stored(size: list[int]) -> None:
    with pytest.raises(ValueError, match=r"`image_size` must fit into the stored \(12, 12\), got"):
        loader(split(), NONE, image_size=size)
    with pytest.raises(ValueError, match=r"`image_size` must fit into the stored \(12, 12\), got"):
        EvaluationLoader(split(), batch_size=2, image_size=size, **PLAIN)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gpu_batches_equal_those_of_the_cpu(name: str) -> None:
    """A pixel that falls between two levels may be rounded to either."""
    gpu = torch.device("cuda")
    epochs = [loader(split().to(device), AUGMENTATIONS[name], device=device).epoch(0, 0) for device in (CPU, gpu)]
    for (x, masks), (y, others) in zip(*epochs, strict=True):
        torch.testing.assert_close(x, y.cpu(), atol=1.0, rtol=0)
        assert torch.equal(masks, others.cpu())
