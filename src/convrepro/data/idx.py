"""MNIST and Fashion-MNIST: four idx files, read by torchvision."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torchvision.datasets.mnist import read_image_file, read_label_file

from convrepro.data import files
from convrepro.data.image_set import ImageSet, ImageSplit


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """Reads the data set whose ``files`` end in ``train-images-idx3-ubyte``, ``t10k-labels-idx1-ubyte``, ...

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is not the one of the config, or not idx.
    """
    with files.verified_copies(dataset, data_dir) as folder:
        paths = {PurePosixPath(name).name: folder / name for name in dataset["files"]}
        train, test = (
            ImageSplit(
                _parse(read_image_file, paths[f"{part}-images-idx3-ubyte"]).unsqueeze(1),
                _parse(read_label_file, paths[f"{part}-labels-idx1-ubyte"]),
            )
            for part in ("train", "t10k")
        )
    return ImageSet(train, test)


def _parse(reader: Callable[[str], torch.Tensor], path: Path) -> torch.Tensor:
    try:
        return reader(str(path))
    # What torchvision raises on a header that does not fit; none of it says what is wrong.
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} must be idx, with a header that fits its content.") from error
