"""Images of an epoch in the order in which they are shown, cropped, shifted and mirrored, still as bytes."""

# Shapes: N images of the epoch, B of a piece, C channels, H height, W width.

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakSet

import torch
from joblib import cpu_count
from torch.utils.data import DataLoader, Dataset

from convrepro.data import augmentation as augment
from convrepro.data import resampling
from convrepro.data.image_set import ImageSplit


@dataclass(frozen=True, eq=False)
class ShownImages:
    """What an epoch shows.

    Args:
        split: the images; on the device of ``rows_N`` and ``draws``.
        rows_N: which of its stored images are shown, in this order.
        draws: how they are cropped, shifted and mirrored; None shows their centre as it is.
        augmentation: see ``augmentation.draw``.
        image_size: height and width that are shown; None if they are those of the stored images.
        are_masks: whether pixels are classes, which are moved but never mixed or changed.
    """

    split: ImageSplit
    rows_N: torch.Tensor
    draws: augment.EpochDraws | None = None
    augmentation: Mapping[str, Any] | None = None
    image_size: tuple[int, int] | None = None
    are_masks: bool = False

    def __len__(self) -> int:
        return len(self.rows_N)

    def to(self, device: torch.device) -> "ShownImages":
        draws = self.draws.to(device) if self.draws else None
        return replace(self, split=self.split.to(device), rows_N=self.rows_N.to(device), draws=draws)

    def __call__(self, start: int, stop: int) -> torch.Tensor:
        """Images ``start`` to ``stop``: ``torch.uint8``, (B, H, W, C)."""
        x_BHWC, some = self.split.gather(self.rows_N[start:stop]), slice(start, stop)
        image_size = self.image_size or self.split.image_shape[1:]
        if self.draws is None or self.augmentation is None:
            return _centre(x_BHWC, image_size)
        draws = self.draws
        if draws.boxes_N4 is not None:
            x_BHWC = resampling.crop_to_size(x_BHWC, draws.boxes_N4[some], image_size, nearest=self.are_masks)
        if draws.windows_N2 is not None:
            x_BHWC = augment.crop(x_BHWC, draws.windows_N2[some], image_size)
        if draws.affine_N4 is not None:
            x_BHWC = resampling.shift_and_zoom(x_BHWC, draws.affine_N4[some], nearest=self.are_masks)
        if padding := self.augmentation["crop_padding"]:
            padded_BHWC = augment.pad(x_BHWC, padding, self.augmentation["crop_mode"])
            x_BHWC = augment.crop(padded_BHWC, draws.offsets_N2[some], image_size)
        if self.augmentation["flip_probability"]:
            x_BHWC = augment.flip(x_BHWC, draws.flips_N[some])
        if draws.brightness_N is not None and not self.are_masks:
            x_BHWC = augment.brighten(x_BHWC, draws.brightness_N[some])
        return x_BHWC


def _centre(x_BHWC: torch.Tensor, image_size: tuple[int, int]) -> torch.Tensor:
    (height, width), (top, left) = image_size, augment.centre((x_BHWC.shape[1], x_BHWC.shape[2]), image_size)
    return x_BHWC[:, top : top + height, left : left + width].contiguous()


class Prefetched:
    """The same images, made ahead of time by other processes.

    Args:
        shown: the images; on the CPU.
        batch_size: images that a process makes at once.
        num_workers: processes, shared by all that read ahead at the same time (the seeds of a group); 0 for one per
            core, of which there are never more. Who gets none makes the images when they are asked for.
        pin_memory: whether they are handed over in memory that a GPU copies from directly.
    """

    def __init__(self, shown: ShownImages, *, batch_size: int, num_workers: int, pin_memory: bool) -> None:
        self._shown, self._batch_size, self._pin_memory = shown, batch_size, pin_memory
        self._max_workers = min(num_workers or cpu_count(), cpu_count())
        self._num_workers = 0  # while it reads ahead
        self._position = 0
        self._batches: Iterator[torch.Tensor] = iter(())
        _unfinished.add(self)

    def __call__(self, start: int, stop: int) -> torch.Tensor:
        """Images ``start`` to ``stop``, as ``ShownImages`` gives them.

        They are ready if the last call stopped at ``start``, after whole batches; else reading ahead starts anew.
        """
        if start != self._position or start == 0:
            self._stop()
            self._position, self._batches = start, self._read_ahead(start)
        pieces: list[torch.Tensor] = []
        while self._position < stop:
            pieces.append(next(self._batches))
            self._position += self._batch_size
        if self._position >= len(self._shown):
            self._stop()
            _unfinished.discard(self)
        return torch.cat(pieces)[: stop - start] if len(pieces) > 1 else pieces[0][: stop - start]

    def _read_ahead(self, start: int) -> Iterator[torch.Tensor]:
        _unfinished.add(self)
        share = max(1, self._max_workers // len(_unfinished))
        unused = self._max_workers - sum(one._num_workers for one in _unfinished)
        self._num_workers = max(0, min(share, unused))
        loader = DataLoader(
            _Batches(self._shown, range(start, len(self._shown), self._batch_size)),
            batch_size=None,
            num_workers=self._num_workers,
            pin_memory=self._pin_memory,
            generator=torch.Generator(),  # else it draws from the global one, and the network would draw other numbers
        )
        return iter(loader)

    def _stop(self) -> None:
        self._batches, self._num_workers = iter(()), 0  # without its iterator, the processes end


_unfinished: WeakSet[Prefetched] = WeakSet()  # those of this process that have not handed over their last image


class _Batches(Dataset[torch.Tensor]):
    def __init__(self, shown: ShownImages, starts: range) -> None:
        self._shown, self._starts = shown, starts

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> torch.Tensor:
        start = self._starts[index]
        return self._shown(start, start + self._starts.step)
