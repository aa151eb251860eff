"""CIFAR-10 and CIFAR-100: pickled batches, unpickled by torchvision once every file's checksum holds."""

# Shapes: B images, C channels, H height, W width.

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
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
            parts = [_read_part(family, folder, listed) for listed in (family.train_list, family.test_list)]
        # torchvision compares with MD5s of its own before it unpickles: a config cannot vouch for a pickle.
        except RuntimeError as error:
            raise ValueError(f"files of {dataset['name']} must be the official ones: {error}.") from error
    return ImageSet(*parts)


def _read_part(family: Any, folder: Path, listed: Sequence[Sequence[str]]) -> ImageSplit:
    """Reads file by file, into an array that grows in place: torchvision's joining takes the memory several times."""
    images_BHWC, labels = np.empty((0, 32, 32, 3), np.uint8), []
    for name_and_md5 in listed:
        one = type(family.__name__, (family,), {"train_list": [name_and_md5], "test_list": []})(folder)
        labels += one.targets
        images_BHWC.resize((len(labels), 32, 32, 3), refcheck=False)
        images_BHWC[-len(one.data) :] = one.data
    return ImageSplit(torch.from_numpy(images_BHWC).permute(0, 3, 1, 2), torch.tensor(labels))
