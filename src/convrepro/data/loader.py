"""Loaders over a data set that lives on the device as one tensor: no workers, no copies, no per-image Python.

A set that is too large for that stays in a file; then other processes read and crop ahead, with the same draws. Batches
come with channels last in memory, the layout in which CPU convolutions are fastest.
"""

# Shapes: N images of the set, B of a batch, C channels, H height, W width, R = W * C values of an image row.

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from convrepro.data import augmentation as augment
from convrepro.data.image_set import ImageSplit
from convrepro.data.shown_images import Prefetched, ShownImages

Batch = tuple[torch.Tensor, torch.Tensor]


class EpochLoader:
    """Shuffled, augmented training batches of any seed and epoch; the last, short one included.

    Args:
        split: images to train on, with labels, or with masks that are cropped, shifted and mirrored as the images are.
            Those that are on ``device`` already are shared, not copied.
        batch_size: images in a batch.
        mean: per channel, of images scaled to [0, 1].
        std: likewise.
        augmentation: see ``augmentation.draw``.
        device: where the images live, unless they stay in a file, and the batches come from.
        num_workers: processes that read images which stay in a file; 0 for one per core.
        image_size: height and width that networks are given; None if they are those of the stored images, which may be
            larger: then a part of them is shown (see ``augmentation.draw``).

    Raises:
        ValueError: if an argument does not fit.
    """

    def __init__(
        self,
        split: ImageSplit,
        *,
        batch_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        augmentation: Mapping[str, Any],
        device: torch.device,
        num_workers: int = 0,
        image_size: Sequence[int] | None = None,
    ) -> None:
        self.image_size = _checked_size(split, image_size)
        augment.check(augmentation, self.image_size, split.image_shape[1:])
        if split.masks is not None and augmentation["crop_padding"] and augmentation["crop_mode"] == "zero":
            raise ValueError("`crop_mode` must be reflect or edge for images with masks, got zero, which is a class.")
        self.batch_size, self.num_images = _checked_batch_size(batch_size), len(split)
        self.split, self.augmentation, self.device = split.to(device), augmentation, device
        self.num_workers, self.starts = num_workers, range(0, self.num_images, batch_size)
        self.normalize = _Normalization(split, self.image_size[1], mean, std, device)

    def __len__(self) -> int:
        return len(self.starts)

    def epoch(self, seed: int, epoch: int) -> "EpochBatches":
        """The batches of one epoch: a function of ``seed`` and ``epoch`` only, the same on every device."""
        draws = augment.draw(
            self.augmentation,
            num_images=self.num_images,
            image_size=self.image_size,
            stored_size=self.split.image_shape[1:],
            seed=seed,
            epoch=epoch,
        )
        return EpochBatches(self, draws)


class EpochBatches:
    """One epoch's batches, made by ``EpochLoader.epoch``; may be iterated again and gives the same.

    A batch is ``torch.float32`` (B, C, H, W), channels last in memory, and its targets, ``torch.int64``: labels (B,),
    or masks (B, H, W) of images that have some. Both are on the device.
    """

    def __init__(self, loader: EpochLoader, draws: augment.EpochDraws) -> None:
        self.loader = loader
        rows_N = loader.split.rows_B[draws.order_N]
        shown = ShownImages(loader.split, rows_N, draws, loader.augmentation, loader.image_size)
        self.crops = _source(shown, loader.batch_size, loader.num_workers, loader.device)
        self.erasures_N4 = draws.erasures_N4.to(loader.device)
        self.targets = _Targets(shown, draws.order_N, loader.batch_size, loader.num_workers, loader.device)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        return (self.images(start, start + self.loader.batch_size) for start in self.loader.starts)

    def images(self, start: int, stop: int) -> Batch:
        """Images ``start`` to ``stop`` of the epoch's order at once: bit by bit those of the batches.

        Those of a set that stays in a file are ready if the last call stopped at ``start``, after whole batches.
        """
        augmentation, stop = self.loader.augmentation, min(stop, self.loader.num_images)
        x_BHWC = self.loader.normalize(self.crops(start, stop).to(self.loader.device, non_blocking=True))
        if augmentation["erase_probability"]:
            augment.erase(x_BHWC, self.erasures_N4[start:stop], augmentation["erase_value"])
        return x_BHWC.permute(0, 3, 1, 2), self.targets(start, stop)


class EvaluationLoader:
    """Batches in the order of the split, not augmented: of each image the centre, if networks are given less.

    Args:
        split: images to evaluate on.
        batch_size: images in a batch.
        mean: per channel, of images scaled to [0, 1].
        std: likewise.
        device: where the images live, unless they stay in a file, and the batches come from.
        num_workers: processes that read images which stay in a file; 0 for one per core.
        image_size: height and width that networks are given; None if they are those of the stored images.

    Raises:
        ValueError: if an argument does not fit.
    """

    def __init__(
        self,
        split: ImageSplit,
        *,
        batch_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        num_workers: int = 0,
        image_size: Sequence[int] | None = None,
    ) -> None:
        self.image_size = _checked_size(split, image_size)
        self.batch_size, self.num_workers, self.device = _checked_batch_size(batch_size), num_workers, device
        self.split = split.to(device)
        self.normalize = _Normalization(split, self.image_size[1], mean, std, device)

    def __len__(self) -> int:
        return math.ceil(len(self.split) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        shown = ShownImages(self.split, self.split.rows_B, image_size=self.image_size)
        images = _source(shown, self.batch_size, self.num_workers, self.device)
        targets = _Targets(shown, torch.arange(len(self.split)), self.batch_size, self.num_workers, self.device)
        for start in range(0, len(self.split), self.batch_size):
            stop = min(start + self.batch_size, len(self.split))
            x_BHWC = self.normalize(images(start, stop).to(self.device, non_blocking=True))
            yield x_BHWC.permute(0, 3, 1, 2), targets(start, stop)


class _Targets:
    """What the images of an epoch are trained on or judged by: labels, or masks shown as the images are."""

    def __init__(
        self, shown: ShownImages, order_N: torch.Tensor, batch_size: int, num_workers: int, device: torch.device
    ) -> None:
        masks, self._device = shown.split.masks, device
        self._labels_N = shown.split.labels_B[order_N].to(device)
        self._masks: ShownImages | Prefetched | None = None
        if masks is not None:
            shown = replace(shown, split=masks, rows_N=masks.rows_B[order_N], are_masks=True)
            self._masks = _source(shown, batch_size, num_workers, device)

    def __call__(self, start: int, stop: int) -> torch.Tensor:
        if self._masks is None:
            return self._labels_N[start:stop]
        return self._masks(start, stop).to(self._device, torch.int64, non_blocking=True).squeeze(3)


def _source(shown: ShownImages, batch_size: int, num_workers: int, device: torch.device) -> ShownImages | Prefetched:
    """Images in bytes: from where they live, or, of a set that stays in a file, from processes that read ahead."""
    if shown.split.stays_in is None:
        return shown.to(device)
    return Prefetched(shown, batch_size=batch_size, num_workers=num_workers, pin_memory=device.type == "cuda")


class _Normalization:
    """(x / 255 - mean) / std as one multiplication and one addition per value, along whole image rows."""

    def __init__(
        self, split: ImageSplit, width: int, mean: Sequence[float], std: Sequence[float], device: torch.device
    ) -> None:
        num_channels = split.image_shape[0]
        if not len(mean) == len(std) == num_channels or not all(value > 0 for value in std):
            raise ValueError(
                f"`mean` and `std` need a value, `std` a positive one, for each of {num_channels} channels, "
                f"got {list(mean)} and {list(std)}."
            )
        mean_C, std_C = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
        self.scale_R = (1 / (255 * std_C)).repeat(width).to(device, torch.float32)
        self.shift_R = (-mean_C / std_C).repeat(width).to(device, torch.float32)

    def __call__(self, x_BHWC: torch.Tensor) -> torch.Tensor:
        x_BHR = x_BHWC.flatten(2).to(torch.float32)
        return torch.addcmul(self.shift_R, x_BHR, self.scale_R).view(x_BHWC.shape)


def _checked_batch_size(batch_size: int) -> int:
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")
    return batch_size


def _checked_size(split: ImageSplit, image_size: Sequence[int] | None) -> tuple[int, int]:
    stored_size = split.image_shape[1:]
    if image_size is None:
        return stored_size
    height, width = image_size
    if not (0 < height <= stored_size[0] and 0 < width <= stored_size[1]):
        raise ValueError(f"`image_size` must fit into the stored {stored_size}, got {(height, width)}.")
    return height, width
