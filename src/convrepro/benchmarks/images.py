"""The images that the benchmarks train on: a part of CIFAR-10, or random ones of its shape."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convrepro.data import ImageSet, ImageSplit, load

PACK = "cifar10_jpeg"  # the data set that is read where it is there
RANDOM = "random"
NUM_CLASSES, SHAPE = 10, (3, 32, 32)


def prepare(folder: Path, dataset: Mapping[str, Any], data_dir: Path, *, num_train: int, num_test: int) -> str:
    """Writes images into ``folder``, from which ``read`` takes them.

    Args:
        folder: that exists.
        dataset: config node of the data set to take them from.
        data_dir: where its files are looked for; nothing is downloaded.
        num_train, num_test: images to write.

    Returns:
        ``cifar10_jpeg``, or ``random`` where its files are not there: speed does not depend on pixels.
    """
    stream = np.random.default_rng(0)
    try:
        found = load(dataset, data_dir, download=False)
    except FileNotFoundError:
        for part, num_images in (("train", num_train), ("test", num_test)):
            images = stream.integers(0, 256, (num_images, *SHAPE), dtype=np.uint8)
            _write(folder, part, images, stream.integers(0, NUM_CLASSES, num_images))
        return RANDOM
    for part, split, num_images in (("train", found.train, num_train), ("test", found.test, num_test)):
        chosen = stream.permutation(len(split))[:num_images]
        _write(folder, part, split.images_BCHW.numpy()[chosen], split.labels_B.numpy()[chosen])
    return PACK


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """A reader, as ``dataset._target_`` names one: the first of the written images.

    Args:
        dataset: config node; ``num_train_images`` and ``num_test_images`` say how many.
        data_dir: the folder that ``prepare`` wrote to.
    """
    return ImageSet(
        _read(data_dir, "train", dataset["num_train_images"]), _read(data_dir, "test", dataset["num_test_images"])
    )


def _write(folder: Path, part: str, images_BCHW: np.ndarray, labels_B: np.ndarray) -> None:
    np.save(folder / f"{part}_images.npy", images_BCHW)
    np.save(folder / f"{part}_labels.npy", labels_B.astype(np.int64))


def _read(folder: Path, part: str, num_images: int) -> ImageSplit:
    images, labels = (np.load(folder / f"{part}_{name}.npy", mmap_mode="r") for name in ("images", "labels"))
    return ImageSplit(torch.from_numpy(images[:num_images].copy()), torch.from_numpy(labels[:num_images].copy()))
