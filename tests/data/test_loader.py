"""Batches against a per-image reference written with torchvision."""

from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from convrepro import config_files
from convrepro.data import augmentation as augment
from convrepro.data.image_set import ImageSplit
from convrepro.data.loader import EpochLoader, EvaluationLoader

CPU = torch.device("cpu")
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]


def split(num_images: int = 20, channels: int = 3, side: int = 8) -> ImageSplit:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (num_images, channels, side, side), dtype=torch.uint8, generator=generator)
    return ImageSplit(images, torch.arange(num_images))


def loader(images: ImageSplit, augmentation: str | dict[str, Any] = "dk_cifar", **keys: Any) -> EpochLoader:
    channels = images.image_shape[0]
    if isinstance(augmentation, str):
        augmentation = config_files.load("recipe/augmentation", augmentation)
    arguments = {
        "batch_size": 6,
        "mean": MEAN[:channels],
        "std": STD[:channels],
        "augmentation": augmentation,
        "device": CPU,
    } | keys
    return EpochLoader(images, **arguments)


def normalized(image_CHW: torch.Tensor, channels: int) -> torch.Tensor:
    scaled = reference.to_dtype(image_CHW, torch.float32, scale=True)
    return reference.normalize(scaled, MEAN[:channels], STD[:channels])


@pytest.mark.parametrize("name", ["none", "dk_cifar", "dk_fashion_mnist"])
@pytest.mark.parametrize("channels", [1, 3])
def test_epoch_equals_a_loop_over_images(name: str, channels: int) -> None:
    """Pad the raw image, crop, flip, normalise, then erase: the order of Zhong et al."""
    images = split(channels=channels)
    augmentation = config_files.load("recipe/augmentation", name)
    draws = augment.draw(augmentation, num_images=20, image_size=(8, 8), seed=5, epoch=3)
    batches = list(loader(images, name).epoch(5, 3))
    x_BCHW, labels_B = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
    for i, image in enumerate(draws.order_N.tolist()):
        mode = "constant" if augmentation["crop_mode"] == "zero" else "reflect"
        expected = images.images_BCHW[image]
        if augmentation["crop_padding"]:
            expected = reference.pad(expected, [augmentation["crop_padding"]], padding_mode=mode)
        expected = reference.crop(expected, *draws.offsets_N2[i].tolist(), 8, 8)
        if draws.flips_N[i]:
            expected = reference.horizontal_flip(expected)
        expected = normalized(expected, channels)
        top, left, height, width = draws.erasures_N4[i].tolist()
        expected[:, top : top + height, left : left + width] = augmentation["erase_value"]
        torch.testing.assert_close(x_BCHW[i], expected)
        assert int(labels_B[i]) == image


def test_zero_padding_is_black_before_normalisation() -> None:
    """A white image: what was padded in is (0 - mean) / std, not 0."""
    white = ImageSplit(torch.full((64, 1, 8, 8), 255, dtype=torch.uint8), torch.zeros(64, dtype=torch.int64))
    augmentation = config_files.load("recipe/augmentation", "dk_fashion_mnist") | {"erase_probability": 0.0}
    x_BCHW, _ = next(iter(loader(white, augmentation=augmentation, batch_size=64).epoch(0, 0)))
    black, bright = -MEAN[0] / STD[0], (1 - MEAN[0]) / STD[0]
    assert x_BCHW.unique().tolist() == pytest.approx([black, bright])


def test_batch_size_does_not_change_the_stream() -> None:
    """An epoch is a function of seed and epoch only."""
    epochs = [loader(split(), "dk_fashion_mnist", batch_size=batch_size).epoch(0, 0) for batch_size in (1, 6, 64)]
    one, six, all_at_once = (torch.cat([x_BCHW for x_BCHW, _ in batches]) for batches in epochs)
    assert torch.equal(one, six)
    assert torch.equal(six, all_at_once)


def test_last_short_batch_is_kept() -> None:
    training = loader(split(20), batch_size=6)
    batches = list(training.epoch(0, 0))
    assert [len(labels) for _, labels in batches] == [6, 6, 6, 2]
    assert len(training) == len(training.epoch(0, 0)) == 4
    assert (training.num_images, training.batch_size) == (20, 6)
    assert sorted(torch.cat([labels for _, labels in batches]).tolist()) == list(range(20))


def test_an_epoch_can_be_iterated_again() -> None:
    epoch = loader(split(), "dk_fashion_mnist").epoch(0, 0)
    for (x, labels), (y, others) in zip(epoch, epoch, strict=True):
        assert torch.equal(x, y)
        assert torch.equal(labels, others)


def test_resumed_epoch_equals_the_uninterrupted_one() -> None:
    """A fresh loader at epoch 2 gives what a loader that went through 0 and 1 gives, whatever another seed did."""
    went_on = loader(split(), "dk_fashion_mnist")
    for epoch in (0, 1, 2):
        list(went_on.epoch(1, epoch))
        batches = list(went_on.epoch(0, epoch))
    resumed = loader(split(), "dk_fashion_mnist").epoch(0, 2)
    for (x, labels), (y, others) in zip(batches, resumed, strict=True):
        assert torch.equal(x, y)
        assert torch.equal(labels, others)


def test_seeds_and_epochs_differ() -> None:
    training = loader(split())
    orders = {
        tuple(torch.cat([y for _, y in training.epoch(seed, epoch)]).tolist()) for seed in (0, 1) for epoch in (0, 1)
    }
    assert len(orders) == 4


@pytest.mark.parametrize("name", ["none", "dk_cifar", "dk_fashion_mnist"])
def test_images_in_bulk_are_the_rows_of_the_batches(name: str) -> None:
    epoch = loader(split(), name).epoch(3, 1)
    x_BCHW, labels_B = (torch.cat(tensors) for tensors in zip(*epoch, strict=True))
    for start, stop in ((0, 20), (3, 17), (19, 20)):
        some, some_labels = epoch.images(start, stop)
        assert torch.equal(some, x_BCHW[start:stop])
        assert torch.equal(some_labels, labels_B[start:stop])


def test_a_subset_trains_as_a_copy_of_its_images_would() -> None:
    whole = split(20)
    view = whole.subset([3, 1, 4, 15, 9, 2, 6])
    copied = ImageSplit(view.images_BCHW.clone(), view.labels_B.clone())
    of_view, of_copy = (loader(part, "dk_fashion_mnist").epoch(0, 0) for part in (view, copied))
    for (x, labels), (y, others) in zip(of_view, of_copy, strict=True):
        assert torch.equal(x, y)
        assert torch.equal(labels, others)


def test_loaders_share_the_images_of_a_set() -> None:
    """Train and evaluation subsets of both phases: one copy."""
    whole = split(20)
    training = loader(whole.subset([1, 2, 3]))
    evaluation = EvaluationLoader(whole.subset([4]), batch_size=6, mean=MEAN, std=STD, device=CPU)
    for shared in (training.split, evaluation.split):
        assert shared.stored_MHWC.data_ptr() == whole.stored_MHWC.data_ptr()


def test_batches_are_float32_with_channels_last_and_share_no_memory() -> None:
    images = split()
    before = images.images_BCHW.clone()
    for x_BCHW, labels_B in loader(images, "dk_fashion_mnist").epoch(0, 0):
        assert x_BCHW.dtype == torch.float32
        assert labels_B.dtype == torch.int64
        assert x_BCHW.is_contiguous(memory_format=torch.channels_last)
        x_BCHW.zero_()
    assert torch.equal(images.images_BCHW, before)
    first, _ = next(iter(loader(images, "none").epoch(0, 0)))
    assert bool(first.any())


@pytest.mark.parametrize("channels", [1, 3])
def test_evaluation_in_order_and_not_augmented(channels: int) -> None:
    images = split(channels=channels)
    evaluation = EvaluationLoader(images, batch_size=6, mean=MEAN[:channels], std=STD[:channels], device=CPU)
    batches = list(evaluation)
    assert len(batches) == len(evaluation) == 4
    x_BCHW, labels_B = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
    assert labels_B.tolist() == list(range(20))
    torch.testing.assert_close(x_BCHW, normalized(images.images_BCHW, channels))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"mean": [0.5]}, r"for each of 3 channels, got \[0.5\]"),
        ({"std": [0.5, 0.0, 0.5]}, "`std` a positive one"),
        ({"augmentation": {}}, "`crop_mode` must be one of zero, reflect, edge, got None"),
    ],
)
def test_arguments_that_do_not_fit(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loader(split(), **keys)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_batches_equal_those_of_the_cpu() -> None:
    gpu = torch.device("cuda")
    images = split().to(gpu)
    on_cpu, on_gpu = (loader(part, "dk_fashion_mnist", device=part.stored_MHWC.device) for part in (split(), images))
    assert on_gpu.split.stored_MHWC.data_ptr() == images.stored_MHWC.data_ptr()
    for (x, labels), (y, others) in zip(on_cpu.epoch(0, 0), on_gpu.epoch(0, 0), strict=True):
        torch.testing.assert_close(x, y.cpu())
        assert torch.equal(labels, others.cpu())
