"""The first training image of a data set in MNIST's format, alone: what one image can teach is learned from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convrepro.data import idx
from convrepro.data.image_set import ImageSet, ImageSplit


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """Reads the files that ``idx.read`` reads; training and test part are the same image.

    Raises:
        FileNotFoundError, ValueError: as ``idx.read``.
    """
    first = idx.read(dataset, data_dir).train.subset([0])
    alone = ImageSplit(first.images_BCHW, first.labels_B)
    return ImageSet(alone, alone)
