"""Loaders over a data set that lives on the device as one tensor: no workers, no copies, no per-image Python.

Batches come with channels last in memory, the layout in which CPU convolutions are fastest.
"""

# Shapes: N images of the set, B of a batch, C channels, H height, W width, R = W * C values of an image row.

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from convrepro.data import augmentation as augment
from convrepro.data.image_set import ImageSplit

Batch = tuple[torch.Tensor, torch.Tensor]


class EpochLoader:
    """Shuffled, augmented training batches; the last, short one included.

    What an epoch consists of depends on ``seed`` and its number only: not on the device, nor on what was
    iterated before.

    Args:
        split: images to train on.
        batch_size: images in a batch.
        seed: seed of the run.
        mean: per channel, of images scaled to [0, 1].
        std: likewise.
        augmentation: see ``augmentation.draw``.
        device: where the images live and the batches come from.
        epoch: called when an iteration starts; the number of its epoch.

    Raises:
        ValueError: if an argument does not fit.
    """

    def __init__(
        self,
        split: ImageSplit,
        *,
        batch_size: int,
        seed: int,
        mean: Sequence[float],
        std: Sequence[float],
        augmentation: Mapping[str, Any],
        device: torch.device,
        epoch: Callable[[], int],
    ) -> None:
        height, width = split.images_BCHW.shape[2:]
        augment.check(augmentation, (height, width))
        self.batch_size, self.seed, self.epoch = _checked_batch_size(batch_size), seed, epoch
        self.augmentation, self.image_size, self.device = augmentation, (height, width), device
        padded = augment.pad(_channels_last(split), augmentation["crop_padding"], augmentation["crop_mode"])
        self.padded_NHWC, self.labels_N = padded.to(device), split.labels_B.to(device)
        self.normalize = _Normalization(split, mean, std, device)

    def __len__(self) -> int:
        return math.ceil(len(self.labels_N) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        draws = augment.draw(
            self.augmentation,
            num_images=len(self.labels_N),
            image_size=self.image_size,
            seed=self.seed,
            epoch=self.epoch(),
        ).to(self.device)
        flips, erases = (self.augmentation[key] > 0 for key in ("flip_probability", "erase_probability"))
        for rows in _slices(len(self.labels_N), self.batch_size):
            index_B = draws.order_N[rows]
            x_BHWC = augment.crop(self.padded_NHWC, index_B, draws.offsets_N2[rows], self.image_size)
            if flips:
                x_BHWC = augment.flip(x_BHWC, draws.flips_N[rows])
            x_BHWC = self.normalize(x_BHWC)
            if erases:
                augment.erase(x_BHWC, draws.erasures_N4[rows], self.augmentation["erase_value"])
            yield x_BHWC.permute(0, 3, 1, 2), self.labels_N[index_B]


class EvaluationLoader:
    """Batches in the order of the split, not augmented.

    Args:
        split: images to evaluate on.
        batch_size: images in a batch.
        mean: per channel, of images scaled to [0, 1].
        std: likewise.
        device: where the images live and the batches come from.

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
    ) -> None:
        self.batch_size = _checked_batch_size(batch_size)
        self.images_NHWC, self.labels_N = _channels_last(split).to(device), split.labels_B.to(device)
        self.normalize = _Normalization(split, mean, std, device)

    def __len__(self) -> int:
        return math.ceil(len(self.labels_N) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for rows in _slices(len(self.labels_N), self.batch_size):
            yield self.normalize(self.images_NHWC[rows]).permute(0, 3, 1, 2), self.labels_N[rows]


class _Normalization:
    """(x / 255 - mean) / std as one multiplication and one addition per value, along whole image rows."""

    def __init__(self, split: ImageSplit, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        num_channels, width = split.images_BCHW.shape[1], split.images_BCHW.shape[3]
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


def _channels_last(split: ImageSplit) -> torch.Tensor:
    return split.images_BCHW.permute(0, 2, 3, 1).contiguous()


def _slices(num_images: int, batch_size: int) -> Iterator[slice]:
    return (slice(start, start + batch_size) for start in range(0, num_images, batch_size))


def _checked_batch_size(batch_size: int) -> int:
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")
    return batch_size
