"""The sums of which filtered and windowed convolutions are made, number by number, for tests of operators."""

from typing import Any

import numpy as np
import torch

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # in numpy's words

Image = list[list[float]]


def correlated(image: Image, kernel: Image) -> Image:
    """One channel under a kernel of odd sides, zeros around the image: as large as the image."""
    height, width = len(image), len(image[0])
    reach_y, reach_x = len(kernel) // 2, len(kernel[0]) // 2
    out = [[0.0] * width for _ in range(height)]
    for y in range(height):
        for x in range(width):
            for dy in range(-reach_y, reach_y + 1):
                for dx in range(-reach_x, reach_x + 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        out[y][x] += kernel[reach_y + dy][reach_x + dx] * image[y + dy][x + dx]
    return out


def convolved(images: list[Image], kernels: list[Image], stride: int = 1) -> Image:
    """Eq. (4) of Kobayashi 2023 without padding, for one output channel: all images, each under its kernel."""
    side = len(kernels[0])
    rows, columns = (range(0, size - side + 1, stride) for size in (len(images[0]), len(images[0][0])))
    return [
        [
            sum(
                kernel[j][i] * image[y + j][x + i]
                for image, kernel in zip(images, kernels, strict=True)
                for j in range(side)
                for i in range(side)
            )
            for x in columns
        ]
        for y in rows
    ]


def outer(column: list[float], row: list[float]) -> Image:
    """The kernel of two filters, one along the columns and one along the rows."""
    return [[c * r for r in row] for c in column]


def responses_and_means(conv: Any, x_CHW: torch.Tensor, padding: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """What each kernel makes of each channel that it reads, and each channel's mean around the kernel's centre.

    Args:
        conv: with ``envelope_size``, the side of the window of the mean.
        padding: rows and columns by which numpy continues the image.

    Returns:
        ``(O, I, H', W')`` and ``(C, H', W')``; the mean is the same for all kernels.
    """
    (kh, kw), (sy, sx), (dy, dx), reach = conv.kernel_size, conv.stride, conv.dilation, conv.envelope_size // 2
    height = (x_CHW.shape[1] + 2 * padding[0] - (kh - 1) * dy - 1) // sy + 1
    width = (x_CHW.shape[2] + 2 * padding[1] - (kw - 1) * dx - 1) // sx + 1
    margin = 12
    image = np.pad(x_CHW.numpy(), [(0, 0), (margin, margin), (margin, margin)], mode=PADDING_MODES[conv.padding_mode])
    num_read, num_made = conv.in_channels // conv.groups, conv.out_channels // conv.groups  # channels of a group
    weight = conv.weight.tolist()
    responses = torch.zeros(conv.out_channels, num_read, height, width, dtype=torch.float64)
    means = torch.zeros(conv.in_channels, height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            top, left = margin - padding[0] + row * sy, margin - padding[1] + column * sx
            middle, centre = top + (kh - 1) * dy // 2, left + (kw - 1) * dx // 2
            for c in range(conv.in_channels):
                window = image[c, middle - reach : middle + reach + 1, centre - reach : centre + reach + 1]
                assert window.size == conv.envelope_size**2
                means[c, row, column] = sum(window.flatten().tolist()) / window.size
            for o in range(conv.out_channels):
                for index in range(num_read):
                    read = image[o // num_made * num_read + index]
                    responses[o, index, row, column] = sum(
                        weight[o][index][j][i] * read[top + j * dy, left + i * dx] for j in range(kh) for i in range(kw)
                    )
    return responses, means
