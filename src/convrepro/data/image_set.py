"""Labelled images as tensors: what every reader returns and every loader takes."""

# Shapes: M stored images, B images of a part, C channels, H height, W width.

import contextlib
import copy
import fcntl
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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

    def read(self) -> torch.Tensor:
        """All images, in memory."""
        count = math.prod(self.shape_MHWC)
        content = np.fromfile(self.path, np.uint8, count, offset=self.offset_bytes)
        return torch.from_numpy(content.reshape(self.shape_MHWC))


class ImageSplit:
    """One part of a data set: labels, and the rows of its images among stored ones that other parts may share.

    Args:
        images_BCHW: ``torch.uint8``; kept without a copy if its channels are last in memory.
        labels_B: ``torch.int64``, counted from 0.
        masks: of a set that is segmented, the class of each pixel, as a part of one-channel images: the b-th is that of
            the b-th image. Batches then have them as targets instead of the labels.
        stays_in: the file that the images are mapped from, if they are too many for memory: they then never move to a
            device, and loaders read them in processes of their own.

    Attributes:
        stored_MHWC: all stored images, channels last in memory; maybe on a GPU.
        rows_B: which of them belong to the part, in its order; on the CPU.
        labels_B: on the CPU.
        masks: those of the part, likewise stored and taken; or None.

    Raises:
        ValueError: if a tensor has another type or shape, the two differ in length, there is no image, a label is
            negative, or masks are not one per image, of its height and width.
    """

    def __init__(
        self,
        images_BCHW: torch.Tensor,
        labels_B: torch.Tensor,
        *,
        masks: "ImageSplit | None" = None,
        stays_in: FileOfImages | None = None,
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
        if masks is not None and (len(masks), masks.image_shape) != (len(images), (1, *images.shape[2:])):
            raise ValueError(
                f"each image needs one mask of its size, got {_describe(images)} and {len(masks)} of "
                f"{masks.image_shape}."
            )
        self.stored_MHWC = images.permute(0, 2, 3, 1).contiguous()
        self.rows_B = torch.arange(len(labels))
        self.labels_B = labels
        self.masks = masks
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
        part.masks = self.masks and self.masks.subset(index_B)
        return part

    def to(self, device: torch.device) -> "ImageSplit":
        """The same part with its stored images on ``device``; itself if they are there, or stay in a file."""
        if self.stays_in:
            return self
        stored_MHWC = self.stored_MHWC.to(device)
        if stored_MHWC is self.stored_MHWC:
            return self
        part = copy.copy(self)
        part.stored_MHWC, part.masks = stored_MHWC, self.masks and self.masks.to(device)
        return part

    def joined(self, other: "ImageSplit") -> "ImageSplit":
        """The images of this part, then those of another; copied only if the two do not share stored ones."""
        masks = self.masks.joined(other.masks) if self.masks and other.masks else None
        labels_B = torch.cat([self.labels_B, other.labels_B])
        if not self.shares(other):
            return ImageSplit(torch.cat([self.images_BCHW, other.images_BCHW]), labels_B, masks=masks)
        whole = copy.copy(self)
        whole.rows_B, whole.labels_B, whole.masks = torch.cat([self.rows_B, other.rows_B]), labels_B, masks
        return whole

    def shares(self, other: "ImageSplit") -> bool:
        """Whether the two are parts of the same stored images."""
        share_masks = self.masks.shares(other.masks) if self.masks and other.masks else True
        return self.stored_MHWC is other.stored_MHWC and share_masks

    def stored_as(self, moved: "ImageSplit") -> "ImageSplit":
        """The same part of stored images that lie elsewhere now, as another part of them does."""
        part = copy.copy(self)
        part.stored_MHWC = moved.stored_MHWC
        part.masks = self.masks.stored_as(moved.masks) if self.masks and moved.masks else None
        return part

    def __copy__(self) -> "ImageSplit":
        """Shares the stored images, also those in a file, which what follows would map once more."""
        part = object.__new__(type(self))
        vars(part).update(vars(self))
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

    Args:
        train: images to train on.
        test: images that tables report.
        validation: the official validation part, of a data set that has one.
        content_sha256: of the sources, if they are not pinned by checksums in the config; else "".

    Raises:
        ValueError: if their images differ in shape, or only some have masks.
    """

    train: ImageSplit
    test: ImageSplit
    validation: ImageSplit | None = field(default=None, kw_only=True)
    content_sha256: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        for name, part in (("test", self.test), ("validation", self.validation)):
            if part is None:
                continue
            if part.image_shape != self.train.image_shape:
                raise ValueError(
                    f"training and {name} images must share a shape, got {self.train.image_shape} and "
                    f"{part.image_shape}."
                )
            if (part.masks is None) != (self.train.masks is None):
                raise ValueError(f"training and {name} images must both have masks, or neither.")

    @property
    def parts(self) -> list[ImageSplit]:
        """Training, validation (if there is one) and test part."""
        return [part for part in (self.train, self.validation, self.test) if part is not None]

    def to(self, device: torch.device) -> "ImageSet":
        """The same images on ``device``, copied once: subsets that are taken from the result share them."""
        train = self.train.to(device)
        test, validation = (
            part and (part.stored_as(train) if part.shares(self.train) else part.to(device))
            for part in (self.test, self.validation)
        )
        assert test is not None
        return replace(self, train=train, test=test, validation=validation)

    def joined(self) -> ImageSplit:
        """All training images, then all test images, as one part; not copied where both share stored ones."""
        return self.train.joined(self.test)


def _describe(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
