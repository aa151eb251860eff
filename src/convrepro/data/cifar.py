"""CIFAR-10 and CIFAR-100: pickled batches, unpickled by torchvision once every file's checksum holds."""

# Shapes: B images, C channels, H height, W width.

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torchvision.datasets import CIFAR10, CIFAR100

from convrepro.data import files
from convrepro.data.image_set import ImageSet, ImageSplit

_FAMILY = {family.base_folder: family for family in (CIFAR10, CIFAR100)}


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """Reads the data set whose ``files`` lie in ``cifar-10-batches-py`` or ``cifar-100-python``; fine labels.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is not the official one, or the config names files of another folder.
    """
    folders = {str(PurePosixPath(name).parent) for name in dataset["files"]}
    if len(folders) != 1 or not folders <= _FAMILY.keys():
        raise ValueError(f"files of CIFAR must lie in one of {', '.join(_FAMILY)}, got {', '.join(folders)}.")
    family = _FAMILY[folders.pop()]
    with files.verified_copies(dataset, data_dir) as folder:
        try:
            parts = [family(folder, train=train, download=False) for train in (True, False)]
        # torchvision compares with MD5s of its own before it unpickles: a config cannot vouch for a pickle.
        except RuntimeError as error:
            raise ValueError(f"files of {dataset['name']} must be the official ones: {error}.") from error
    return ImageSet(*map(_split, parts))


def _split(part: Any) -> ImageSplit:
    images_BCHW = torch.from_numpy(part.data).permute(0, 3, 1, 2)
    return ImageSplit(images_BCHW, torch.tensor(part.targets, dtype=torch.int64))
