"""Labelled images as tensors: what every reader returns and every loader takes."""

# Shapes: M stored images, B images of a part, C channels, H height, W width.

import contextlib
import copy
import fcntl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True, kw_only=True)
class FileOfImages:
    """Decoded images in a file that is mapped, not read: the system keeps in memory what is in use."""

    path: Path
    offset_bytes: int
    shape_MHWC: tuple[int, int, int, int]

    def open(self) -> torch.Tensor:
        """All images. Writing to them would change neither the file nor what others see.

        As long as they are in use, the file has a shared lock (where the file system knows locks).
        """
        with self.path.open("rb") as file:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_SH)
            mapped = np.memmap(file, np.uint8, mode="c", offset=self.offset_bytes, shape=self.shape_MHWC)
        return torch.from_numpy(mapped)


class ImageSplit:
    """One part of a data set: labels, and the rows of its images among stored ones that other parts may share.

    Args:
        images_BCHW: ``torch.uint8``; kept without a copy if its channels are last in memory.
        labels_B: ``torch.int64``, counted from 0.
        stays_in: the file that the images are mapped from, if they are too many for memory: they then never move to a
            device, and loaders read them in processes of their own.

    Attributes:
        stored_MHWC: all stored images, channels last in memory; maybe on a GPU.
        rows_B: which of them belong to the part, in its order; on the CPU.
        labels_B: on the CPU.

    Raises:
        ValueError: if a tensor has another type or shape, the two differ in length, there is no image, or a
            label is negative.
    """

    def __init__(
        self, images_BCHW: torch.Tensor, labels_B: torch.Tensor, *, stays_in: FileOfImages | None = None
    ) -> None:
        images, labels = images_BCHW, labels_B
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f"`images_BCHW` must be uint8 of 4 dimensions, got {_describe(images)}.")
        if labels.dtype != torch.int64 or labels.ndim != 1:
            raise ValueError(f"`labels_B` must be int64 of 1 dimension, got {_describe(labels)}.")
        if len(images) != len(labels) or images.numel() == 0:
            raise ValueError(f"each image needs one label, got {_describe(images)} and {_describe(labels)}.")
        if int(labels.min()) < 0:
            raise ValueError(f"labels must count from 0, got {int(labels.min())}.")
        self.stored_MHWC = images.permute(0, 2, 3, 1).contiguous()
        self.rows_B = torch.arange(len(labels))
        self.labels_B = labels
        self.stays_in = stays_in

    def __len__(self) -> int:
        return len(self.labels_B)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        height, width, channels = self.stored_MHWC.shape[1:]
        return channels, height, width

    @property
    def images_BCHW(self) -> torch.Tensor:  # noqa: N802  (a tensor's name)
        """A copy of the part's images."""
        return self.gather(self.rows_B).permute(0, 3, 1, 2)

    def gather(self, rows_B: torch.Tensor) -> torch.Tensor:
        """A copy of stored images, (B, H, W, C), each copied in one piece."""
        return self.stored_MHWC.flatten(1).index_select(0, rows_B).view(-1, *self.stored_MHWC.shape[1:])

    def subset(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> "ImageSplit":
        """The images at ``indices``, in that order; they are not copied.

        Raises:
            ValueError: if an index is out of range or there is none.
        """
        index_B = torch.as_tensor(indices, dtype=torch.int64)
        if not len(index_B) or int(index_B.min()) < 0 or int(index_B.max()) >= len(self):
            raise ValueError(f"indices of a subset must lie in 0 .. {len(self) - 1}, and be at least one.")
        part = copy.copy(self)
        part.rows_B, part.labels_B = self.rows_B[index_B], self.labels_B[index_B]
        return part

    def to(self, device: torch.device) -> "ImageSplit":
        """The same part with its stored images on ``device``; itself if they are there, or stay in a file."""
        if self.stays_in:
            return self
        stored_MHWC = self.stored_MHWC.to(device)
        if stored_MHWC is self.stored_MHWC:
            return self
        part = copy.copy(self)
        part.stored_MHWC = stored_MHWC
        return part

    def __getstate__(self) -> dict[str, Any]:
        """Images that stay in a file do not travel to another process: it maps the file itself."""
        return {**vars(self), "stored_MHWC": None} if self.stays_in else vars(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self.stays_in:
            self.stored_MHWC = self.stays_in.open()


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A data set's training and test part.

    Raises:
        ValueError: if their images differ in shape.
    """

    train: ImageSplit
    test: ImageSplit

    def __post_init__(self) -> None:
        train, test = self.train.image_shape, self.test.image_shape
        if train != test:
            raise ValueError(f"training and test images must share a shape, got {train} and {test}.")

    def to(self, device: torch.device) -> "ImageSet":
        """The same images on ``device``, copied once: subsets that are taken from the result share them."""
        return ImageSet(self.train.to(device), self.test.to(device))


def _describe(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
