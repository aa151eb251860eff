"""Labelled images as tensors: what every reader returns and every loader takes."""

# Shapes: B images, C channels, H height, W width.

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """One part of a data set.

    Args:
        images_BCHW: ``torch.uint8``.
        labels_B: ``torch.int64``, counted from 0.

    Raises:
        ValueError: if a tensor has another type or shape, the two differ in length, there is no image, or a
            label is negative.
    """

    images_BCHW: torch.Tensor
    labels_B: torch.Tensor

    def __post_init__(self) -> None:
        images, labels = self.images_BCHW, self.labels_B
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f"`images_BCHW` must be uint8 of 4 dimensions, got {_describe(images)}.")
        if labels.dtype != torch.int64 or labels.ndim != 1:
            raise ValueError(f"`labels_B` must be int64 of 1 dimension, got {_describe(labels)}.")
        if len(images) != len(labels) or images.numel() == 0:
            raise ValueError(f"each image needs one label, got {_describe(images)} and {_describe(labels)}.")
        if int(labels.min()) < 0:
            raise ValueError(f"labels must count from 0, got {int(labels.min())}.")

    def __len__(self) -> int:
        return len(self.labels_B)

    def subset(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> "ImageSplit":
        """The images at ``indices``, in that order.

        Raises:
            ValueError: if an index is out of range or there is none.
        """
        index_B = torch.as_tensor(indices, dtype=torch.int64)
        if not len(index_B) or int(index_B.min()) < 0 or int(index_B.max()) >= len(self):
            raise ValueError(f"indices of a subset must lie in 0 .. {len(self) - 1}, and be at least one.")
        return ImageSplit(self.images_BCHW[index_B], self.labels_B[index_B])


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A data set's training and test part.

    Raises:
        ValueError: if their images differ in shape.
    """

    train: ImageSplit
    test: ImageSplit

    def __post_init__(self) -> None:
        train, test = self.train.images_BCHW.shape[1:], self.test.images_BCHW.shape[1:]
        if train != test:
            raise ValueError(f"training and test images must share a shape, got {tuple(train)} and {tuple(test)}.")


def _describe(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
