"""Random crop, horizontal flip, change of brightness and random erasing, a batch at a time.

Everything random about an epoch is drawn at its start, on the CPU, by a generator that knows the seed and the
epoch and nothing else. The stream is thus the same on every device, for every batch size, alone or beside
other seeds, and after a resume.

Random erasing follows Zhong et al. 2020 (https://arxiv.org/abs/1708.04896) and their code: the aspect ratio
is uniform, where torchvision's is log-uniform. Crops that are resampled, shifts and zooms are in ``resampling``.
"""

# Shapes: N images of an epoch, B of a batch, C channels, H height, W width, P padding on either side.

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from convrepro.data import resampling

_OPTIONAL_PAIRS = ("resized_crop_area", "resized_crop_aspect")  # both or none
_GREATEST = {"erase_area": 1.0, "erase_aspect": 1e3, "resized_crop_area": 1.0, "resized_crop_aspect": 1e3}  # of pairs
CROP_MODES = ("zero", "reflect", "edge")  # what stands in the padding: black, mirrored pixels, the border pixel


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochDraws:
    """The random choices of one epoch. Row i belongs to the i-th image shown, which is image ``order_N[i]``.

    Args:
        order_N: a permutation of the images.
        offsets_N2: top and left of the crop in the padded image.
        flips_N: whether the crop is mirrored.
        erasures_N4: top, left, height and width of the erased rectangle; zeros for none.
        windows_N2: top and left of the part of a larger stored image that is shown; None if they are of one size.
        boxes_N4: top, left, height and width of the part of a stored image that is resampled to the size shown, pixels;
            None without ``resized_crop_area``.
        affine_N4: shift down and right, as fractions of the sides, and zoom of both axes; None without ``shift`` and
            ``zoom``.
        brightness_N: what is added to the image, in pixel values; None without ``brightness_of_flipped``.
    """

    order_N: torch.Tensor
    offsets_N2: torch.Tensor
    flips_N: torch.Tensor
    erasures_N4: torch.Tensor
    windows_N2: torch.Tensor | None = None
    boxes_N4: torch.Tensor | None = None
    affine_N4: torch.Tensor | None = None
    brightness_N: torch.Tensor | None = None

    def to(self, device: torch.device) -> "EpochDraws":
        drawn: dict[str, Any] = {name: draw for name, draw in vars(self).items() if draw is not None}
        return EpochDraws(**{name: draw.to(device) for name, draw in drawn.items()})


def draw(
    augmentation: Mapping[str, Any],
    *,
    num_images: int,
    image_size: tuple[int, int],
    stored_size: tuple[int, int] | None = None,
    seed: int,
    epoch: int,
) -> EpochDraws:
    """Draws the random choices of one epoch.

    Args:
        augmentation: ``crop_padding`` (pixels), ``crop_mode`` (``zero``, ``reflect`` or ``edge``),
            ``flip_probability``, ``erase_probability``, ``erase_area`` (least and greatest, as a fraction of
            the image), ``erase_aspect`` (least and greatest height over width), ``erase_value`` (in
            normalised units), ``erase_tries``. Those that may be missing or None: ``resized_crop_area`` and
            ``resized_crop_aspect`` (see ``resampling.draw_boxes``), ``shift`` and ``zoom`` (see
            ``resampling.draw_affine``), ``brightness_of_flipped`` (fraction of white: mirrored images, and no others,
            become brighter or darker by up to that, uniformly, as in the U-Net of Tek et al. 2021). Other keys are
            not read.
        num_images: images of the epoch.
        image_size: height and width that are shown, pixels.
        stored_size: of the stored images, each side at least as long; None if it is the same. Without
            ``resized_crop_area`` a random window of them is shown.
        seed: seed of the run.
        epoch: number of the epoch.

    Raises:
        ValueError: if ``augmentation`` lacks a key or holds a value out of range.
    """
    check(augmentation, image_size, stored_size)
    # Hashed, so that seed 1 of epoch 2 shares nothing with seed 2 of epoch 1.
    key = hashlib.sha256(f"{seed}:{epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "little"))
    draws = EpochDraws(
        order_N=torch.randperm(num_images, generator=generator),
        offsets_N2=torch.randint(2 * augmentation["crop_padding"] + 1, (num_images, 2), generator=generator),
        flips_N=torch.rand(num_images, generator=generator) < augmentation["flip_probability"],
        erasures_N4=_draw_erasures(augmentation, num_images, image_size, generator),
    )
    # What few augmentations ask for is drawn last, and only then: the draws above must not depend on it.
    more: dict[str, torch.Tensor] = {}
    stored_size = stored_size or image_size
    if augmentation.get("resized_crop_area"):
        more["boxes_N4"] = resampling.draw_boxes(
            augmentation["resized_crop_area"], augmentation["resized_crop_aspect"], num_images, stored_size, generator
        )
    elif stored_size != image_size:
        more["windows_N2"] = _draw_windows(num_images, image_size, stored_size, generator)
    shift, zoom = augmentation.get("shift") or 0.0, augmentation.get("zoom") or 0.0
    if shift or zoom:
        more["affine_N4"] = resampling.draw_affine(shift, zoom, num_images, generator)
    if greatest := augmentation.get("brightness_of_flipped"):
        change_N = torch.rand(num_images, generator=generator) * 2 - 1
        more["brightness_N"] = change_N * (255 * greatest) * draws.flips_N
    return replace(draws, **more)


def check(
    augmentation: Mapping[str, Any], image_size: tuple[int, int], stored_size: tuple[int, int] | None = None
) -> None:
    """Raises ValueError with the key and its allowed values if the augmentation cannot be applied."""
    if augmentation.get("crop_mode") not in CROP_MODES:
        raise ValueError(f"`crop_mode` must be one of {', '.join(CROP_MODES)}, got {augmentation.get('crop_mode')!r}.")
    # A reflection needs more pixels than it adds.
    _check_range("crop_padding", augmentation.get("crop_padding"), 0, min(image_size) - 1, int)
    _check_range("erase_tries", augmentation.get("erase_tries"), 1, 10_000, int)
    for key in ("flip_probability", "erase_probability"):
        _check_range(key, augmentation.get(key), 0.0, 1.0)
    _check_range("erase_value", augmentation.get("erase_value"), -1e6, 1e6)
    for key, greatest in _GREATEST.items():
        pair = augmentation.get(key)
        if pair is None and key in _OPTIONAL_PAIRS and not any(augmentation.get(other) for other in _OPTIONAL_PAIRS):
            continue
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"`{key}` must be a pair [least, greatest], got {pair!r}.")
        _check_range(f"{key}[1]", pair[1], 1e-3, greatest)
        _check_range(f"{key}[0]", pair[0], 1e-3, pair[1])
    for key, below in (("shift", 1.0), ("zoom", 0.99), ("brightness_of_flipped", 1.0)):
        if augmentation.get(key) is not None:
            _check_range(key, augmentation[key], 0.0, below)
    if any(stored < shown for stored, shown in zip(stored_size or image_size, image_size, strict=True)):
        raise ValueError(f"stored images must be at least as large as those shown, {image_size}, got {stored_size}.")


def pad(images_BHWC: torch.Tensor, padding: int, mode: str) -> torch.Tensor:
    """Pads both sides of height and width.

    ``zero`` adds zeros; ``reflect`` mirrors without repeating the border pixel; ``edge`` repeats the border pixel, as
    Keras' shifts do by default (``fill_mode="nearest"``).
    """
    num_images, height, width, channels = images_BHWC.shape
    padded_BHWC = images_BHWC.new_zeros(num_images, height + 2 * padding, width + 2 * padding, channels)
    padded_BHWC[:, padding : padding + height, padding : padding + width] = images_BHWC
    if mode != "zero":
        for lines, first, last in (
            (padded_BHWC[:, padding : padding + height].transpose(0, 2), padding, padding + width - 1),
            (padded_BHWC.transpose(0, 1), padding, padding + height - 1),
        ):
            for distance in range(1, padding + 1):
                inwards = distance if mode == "reflect" else 0
                lines[first - distance] = lines[first + inwards]
                lines[last + distance] = lines[last - inwards]
    return padded_BHWC


def crop(padded_BHWC: torch.Tensor, offsets_B2: torch.Tensor, image_size: tuple[int, int]) -> torch.Tensor:
    """Cuts one window out of each image, row by row of W * C values: each is copied in one piece."""
    num_images, padded_height, padded_width, channels = padded_BHWC.shape
    height, width = image_size
    # As many pieces as there are pixels, each starting one pixel after the one before: a view, without a copy.
    num_pieces = num_images * padded_height * padded_width - width + 1
    pieces = padded_BHWC.as_strided((num_pieces, width * channels), (channels, 1))
    image_B, row_H = (torch.arange(n, device=padded_BHWC.device) for n in (num_images, height))
    top_B, left_B = offsets_B2.unbind(1)
    row_BH = (image_B * padded_height + top_B)[:, None] + row_H
    pixel_BH = row_BH * padded_width + left_B[:, None]
    return pieces.index_select(0, pixel_BH.flatten()).view(num_images, height, width, channels)


def flip(x_BHWC: torch.Tensor, flips_B: torch.Tensor) -> torch.Tensor:
    """Mirrors the marked images left to right."""
    return torch.where(flips_B[:, None, None, None], x_BHWC.flip(2), x_BHWC)


def brighten(x_BHWC: torch.Tensor, changes_B: torch.Tensor) -> torch.Tensor:
    """Adds each image's change to its bytes, rounded and kept within 0 .. 255."""
    brighter_BHWC = x_BHWC.to(torch.float32) + changes_B[:, None, None, None]
    return brighter_BHWC.round_().clamp_(0, 255).to(torch.uint8)


def centre(stored_size: tuple[int, int], image_size: tuple[int, int]) -> tuple[int, int]:
    """Top and left of the central window, as torchvision's ``center_crop`` rounds them."""
    top, left = (round((stored - shown) / 2) for stored, shown in zip(stored_size, image_size, strict=True))
    return top, left


def erase(x_BHWC: torch.Tensor, erasures_B4: torch.Tensor, value: float) -> torch.Tensor:
    """Fills each image's rectangle with ``value``, in all channels, in place."""
    top_B1, left_B1, height_B1, width_B1 = erasures_B4.unsqueeze(2).unbind(1)
    row_H = torch.arange(x_BHWC.shape[1], device=x_BHWC.device)
    column_W = torch.arange(x_BHWC.shape[2], device=x_BHWC.device)
    inside_BH = (row_H >= top_B1) & (row_H < top_B1 + height_B1)
    inside_BW = (column_W >= left_B1) & (column_W < left_B1 + width_B1)
    return x_BHWC.masked_fill_((inside_BH[:, :, None] & inside_BW[:, None, :]).unsqueeze(3), value)


def _draw_windows(
    num_images: int, image_size: tuple[int, int], stored_size: tuple[int, int], generator: torch.Generator
) -> torch.Tensor:
    free = (stored - shown for stored, shown in zip(stored_size, image_size, strict=True))
    return torch.stack([torch.randint(most + 1, (num_images,), generator=generator) for most in free], dim=1)


def _draw_erasures(
    augmentation: Mapping[str, Any], num_images: int, image_size: tuple[int, int], generator: torch.Generator
) -> torch.Tensor:
    """Rectangles of random area and aspect; those that are not smaller than the image are drawn again."""
    size_2 = torch.tensor(image_size)
    erasures_N4 = torch.zeros(num_images, 4, dtype=torch.int64)
    chosen_N = torch.rand(num_images, generator=generator) < augmentation["erase_probability"]
    waiting = chosen_N.nonzero()[:, 0]
    for _ in range(augmentation["erase_tries"]):
        if not len(waiting):
            break
        area, aspect, top, left = torch.rand(4, len(waiting), generator=generator, dtype=torch.float64)
        area = _scale(area, augmentation["erase_area"]) * image_size[0] * image_size[1]
        aspect = _scale(aspect, augmentation["erase_aspect"])
        sides = torch.stack([(area * aspect).sqrt().round(), (area / aspect).sqrt().round()], dim=1).long()
        corners = (torch.stack([top, left], dim=1) * (size_2 - sides + 1)).long()
        fits = (sides < size_2).all(dim=1)
        erasures_N4[waiting[fits]] = torch.cat([corners, sides], dim=1)[fits]
        waiting = waiting[~fits]
    return erasures_N4


def _scale(uniform: torch.Tensor, bounds: tuple[float, float]) -> torch.Tensor:
    return bounds[0] + uniform * (bounds[1] - bounds[0])


def _check_range(key: str, value: Any, least: float, greatest: float, kind: type = float) -> None:
    number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if not number or not least <= value <= greatest:
        noun = "an integer" if kind is int else "a number"
        raise ValueError(f"`{key}` must be {noun} in [{least}, {greatest}], got {value!r}.")
