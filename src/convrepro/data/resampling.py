"""Parts of images, shifted or scaled, resampled bilinearly to the size that is shown: a batch at a time.

Scales act on each axis alone, so an image is resampled along its height, then along its width: a pixel is a weighted
sum of a few source pixels of its column, then of its row. The result is rounded to bytes.
"""

# Shapes: N images of an epoch, B of a batch, L source and O shown lines of an axis, K source lines per shown line,
# C channels, H height, W width, R values of a line.

import math
from collections.abc import Sequence

import torch

_TRIES = 10
# Of images that a CPU resamples at once, so that they stay in its cache: a core makes 900 images of 256x256 a second,
# and 110 if it takes batches of 64.
_VALUES_AT_ONCE = 1 << 18


def draw_boxes(
    area: Sequence[float],
    aspect: Sequence[float],
    num_images: int,
    stored_size: tuple[int, int],
    generator: torch.Generator,
) -> torch.Tensor:
    """Boxes (top, left, height, width; int64 pixels) as torchvision's ``RandomResizedCrop`` draws them.

    Args:
        area: least and greatest, as a fraction of the image; uniform.
        aspect: least and greatest width over height; log-uniform.
        num_images: how many.
        stored_size: height and width of the images.
        generator: the numbers drawn are others than torchvision's; their distribution is the same.

    Returns:
        (N, 4). An image that ten tries find no box for gets the largest central one of an allowed aspect.
    """
    size_2 = torch.tensor(stored_size)
    boxes_N4 = torch.tensor(_central_box(aspect, stored_size)).repeat(num_images, 1)
    waiting = torch.arange(num_images)
    least, greatest = (math.log(value) for value in aspect)
    for _ in range(_TRIES):
        if not len(waiting):
            break
        fraction, log_aspect, top, left = torch.rand(4, len(waiting), generator=generator, dtype=torch.float64)
        pixels = (area[0] + fraction * (area[1] - area[0])) * stored_size[0] * stored_size[1]
        width_over_height = (least + log_aspect * (greatest - least)).exp()
        sides = torch.stack([pixels / width_over_height, pixels * width_over_height], dim=1).sqrt().round().long()
        corners = (torch.stack([top, left], dim=1) * (size_2 - sides + 1)).long()
        fits = ((sides > 0) & (sides <= size_2)).all(dim=1)
        boxes_N4[waiting[fits]] = torch.cat([corners, sides], dim=1)[fits]
        waiting = waiting[~fits]
    return boxes_N4


def draw_affine(shift: float, zoom: float, num_images: int, generator: torch.Generator) -> torch.Tensor:
    """Shifts and zooms as Keras' ``ImageDataGenerator`` draws them from its shift ranges and ``zoom_range``.

    Args:
        shift: greatest, as a fraction of the side, in either direction; uniform and real.
        zoom: each axis' scale is uniform in [1 - zoom, 1 + zoom].
        num_images: how many.
        generator: the numbers drawn are others than Keras'; their distribution is the same.

    Returns:
        (N, 4): shift of the rows and of the columns, scale of the rows and of the columns.
    """
    uniform_N4 = torch.rand(num_images, 4, generator=generator, dtype=torch.float64) * 2 - 1
    return uniform_N4 * torch.tensor([shift, shift, zoom, zoom]) + torch.tensor([0.0, 0.0, 1.0, 1.0])


def crop_to_size(
    x_BHWC: torch.Tensor, boxes_B4: torch.Tensor, image_size: tuple[int, int], *, nearest: bool = False
) -> torch.Tensor:
    """Resamples a box of each image to ``image_size``, as Pillow's bilinear ``resize`` does, shrinking with its filter.

    Args:
        x_BHWC: bytes.
        boxes_B4: top, left, height and width, pixels.
        image_size: height and width that the boxes become.
        nearest: takes the nearest pixel instead, for masks.
    """
    lines = []
    for axis, (length, stored) in enumerate(zip(image_size, x_BHWC.shape[1:3], strict=True)):
        start_B, side_B = boxes_B4[:, axis].to(torch.float64), boxes_B4[:, axis + 2].to(torch.float64)
        if nearest:
            lines.append(_nearest_of_box(start_B, side_B, length))
        else:
            lines.append(_filter_of_box(start_B, side_B, length, greatest_scale=stored / length))
    return _resample(x_BHWC, lines[0], lines[1])


def shift_and_zoom(x_BHWC: torch.Tensor, affine_B4: torch.Tensor, *, nearest: bool = False) -> torch.Tensor:
    """Shifts and scales each image about its centre, as Keras' ``ImageDataGenerator`` with ``fill_mode="nearest"``.

    The pixel at y shows what was at scale * (y - centre) + centre + shift * side, bilinearly; beyond the border, the
    pixel of the border. Keras goes on with the real numbers, this with bytes: a value differs by at most half a level.

    Args:
        x_BHWC: bytes.
        affine_B4: see ``draw_affine``.
        nearest: takes the nearest pixel instead, for masks.
    """
    lines = []
    for axis, length in enumerate(x_BHWC.shape[1:3]):
        shift_B, scale_B = affine_B4[:, axis, None] * length, affine_B4[:, axis + 2, None]
        centre = (length - 1) / 2
        from_centre_O = torch.arange(length, device=x_BHWC.device, dtype=torch.float64) - centre
        source_BO = (scale_B * from_centre_O + centre + shift_B).clamp(0, length - 1)
        lines.append(_rounded(source_BO) if nearest else _between(source_BO, length))
    return _resample(x_BHWC, lines[0], lines[1])


Lines = tuple[torch.Tensor, torch.Tensor]  # source lines (B, O, K) and their weights


def _central_box(aspect: Sequence[float], stored_size: tuple[int, int]) -> tuple[int, int, int, int]:
    height, width = stored_size
    if width / height < aspect[0]:
        height = min(height, round(width / aspect[0]))
    elif width / height > aspect[1]:
        width = min(width, round(height * aspect[1]))
    return (stored_size[0] - height) // 2, (stored_size[1] - width) // 2, height, width


def _between(source_BO: torch.Tensor, length: int) -> Lines:
    below_BO = source_BO.floor()
    fraction_BO = source_BO - below_BO
    index_BOK = torch.stack([below_BO, below_BO + 1], dim=2).long().clamp_(max=length - 1)
    return index_BOK, torch.stack([1 - fraction_BO, fraction_BO], dim=2)


def _rounded(source_BO: torch.Tensor) -> Lines:
    index_BO1 = (source_BO + 0.5).floor().long().unsqueeze(2)
    return index_BO1, torch.ones_like(index_BO1, dtype=torch.float64)


def _filter_of_box(start_B: torch.Tensor, side_B: torch.Tensor, length: int, *, greatest_scale: float) -> Lines:
    """Weights of a triangle that reaches as far as a shown line is wide in the source, at least one source line."""
    start_B11, side_B11 = start_B[:, None, None], side_B[:, None, None]
    scale_B11 = side_B11 / length
    reach_B11 = scale_B11.clamp(min=1.0)
    shown_O1 = torch.arange(length, device=start_B.device, dtype=torch.float64)[:, None]
    middle_BO1 = (shown_O1 + 0.5) * scale_B11
    farthest = math.floor(max(1.0, greatest_scale) + 0.5)
    near_K = torch.arange(-farthest, farthest + 1, device=start_B.device)
    line_BOK = middle_BO1.floor() + near_K
    weight_BOK = (1 - ((line_BOK + 0.5 - middle_BO1) / reach_B11).abs()).clamp(min=0.0)
    weight_BOK *= (line_BOK >= 0) & (line_BOK < side_B11)
    index_BOK = (start_B11 + line_BOK.clamp(min=0).minimum(side_B11 - 1)).long()
    return index_BOK, weight_BOK / weight_BOK.sum(2, keepdim=True)


def _nearest_of_box(start_B: torch.Tensor, side_B: torch.Tensor, length: int) -> Lines:
    shown_O = torch.arange(length, device=start_B.device, dtype=torch.float64)
    index_BO1 = (start_B[:, None] + ((shown_O + 0.5) * (side_B[:, None] / length)).floor()).long().unsqueeze(2)
    return index_BO1, torch.ones_like(index_BO1, dtype=torch.float64)


def _resample(x_BHWC: torch.Tensor, rows: Lines, columns: Lines) -> torch.Tensor:
    if x_BHWC.device.type != "cpu":
        return _resample_at_once(x_BHWC, rows, columns)
    num_images = max(1, _VALUES_AT_ONCE // x_BHWC[0].numel())
    pieces = [slice(first, first + num_images) for first in range(0, len(x_BHWC), num_images)]
    return torch.cat(
        [
            _resample_at_once(x_BHWC[some], (rows[0][some], rows[1][some]), (columns[0][some], columns[1][some]))
            for some in pieces
        ]
    )


def _resample_at_once(x_BHWC: torch.Tensor, rows: Lines, columns: Lines) -> torch.Tensor:
    num_images, _, width, channels = x_BHWC.shape
    height_shown, width_shown = rows[0].shape[1], columns[0].shape[1]
    x_BHR = _sum_of_lines(x_BHWC.flatten(2), rows)
    turned_BWR = x_BHR.view(num_images, height_shown, width, channels).transpose(1, 2).flatten(2)
    turned_BWHC = _sum_of_lines(turned_BWR, columns).view(num_images, width_shown, height_shown, channels)
    # Half a level up, then cut: torch's own rounding takes ties to even.
    return turned_BWHC.transpose(1, 2).add(0.5).clamp_(0, 255).to(torch.uint8)


def _sum_of_lines(x_BLR: torch.Tensor, lines: Lines) -> torch.Tensor:
    """Line by line in the same order whatever the batch, so that an image's bits do not depend on the others."""
    (index_BOK, weight_BOK), (num_images, num_lines, num_values) = lines, x_BLR.shape
    first_B1 = torch.arange(num_images, device=x_BLR.device)[:, None] * num_lines
    shown_BOR = torch.zeros(num_images, index_BOK.shape[1], num_values, device=x_BLR.device)
    for index_BO, weight_BO in zip(index_BOK.unbind(2), weight_BOK.to(torch.float32).unbind(2), strict=True):
        source_XR = x_BLR.flatten(0, 1).index_select(0, (first_B1 + index_BO).flatten())
        shown_BOR += source_XR.view_as(shown_BOR) * weight_BO[:, :, None]
    return shown_BOR
