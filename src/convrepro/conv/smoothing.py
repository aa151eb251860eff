"""Separable smoothing of feature maps, channel by channel (Kobayashi 2023, Secs. 2.2 and 2.3)."""

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv.plain import depthwise_conv2d

# Shapes: N batch, C channels, H W image, K taps.

# exp(-1 / (2 * 1e-4)) is 0 in float64 too: below, no tap changes, but 0 / 0 at the centre would be NaN.
_SMALLEST_VARIANCE = 1e-4


def check_envelope_size(envelope_size: int) -> None:
    """Raises ValueError unless a filter of this many pixels a side has a centre."""
    if envelope_size < 1 or envelope_size % 2 == 0:
        raise ValueError(f"`envelope_size` must be odd and at least 1, got {envelope_size}.")


def gaussian_taps(variance_C: torch.Tensor, size: int) -> torch.Tensor:
    r"""The sampled Gaussian of each channel, Eq. (9): ``(C, size)``, rows sum to 1.

    :math:`g[x] = \operatorname{softmax}(-x^2 / (2 \sigma^2))` over x = -r .. r with size = 2r + 1.

    Args:
        variance_C: :math:`\sigma^2`, in squared pixels; 0 gives the single tap of no smoothing, exactly.
        size: number of taps, odd.
    """
    x_K = torch.arange(size, device=variance_C.device, dtype=variance_C.dtype) - size // 2
    variance_C1 = variance_C.clamp(min=_SMALLEST_VARIANCE).unsqueeze(1)
    return torch.softmax(-x_K.square() / (2 * variance_C1), dim=1)


def smooth(
    x_NCHW: torch.Tensor,
    rows_CK: torch.Tensor,
    columns_CK: torch.Tensor,
    *,
    stride: tuple[int, int] = (1, 1),
    padding_mode: str = "zeros",
) -> torch.Tensor:
    """Cross-correlates each channel with its taps along the rows (x), then along the columns (y).

    The image is continued by ``padding_mode`` so that every position has an output; with a stride, only every
    stride-th position is computed: ``(N, C, H, W)`` to ``(N, C, ceil(H / sy), ceil(W / sx))``. N may be left out.
    """
    # In channels-last, banded matrix products, depth-wise convolutions in NCHW (both 2.0 to 2.3 times the step of a 3x3
    # convolution) and shifted additions (5.3) are slower than this (1.3 to 1.6); gradients by hand gain 0.1.
    along_x = _depthwise(x_NCHW, rows_CK.unsqueeze(1), (1, stride[1]), padding_mode)
    return _depthwise(along_x, columns_CK.unsqueeze(2), (stride[0], 1), padding_mode)


def smoothing_layers(
    rows_CK: torch.Tensor,
    columns_CK: torch.Tensor,
    *,
    stride: tuple[int, int] = (1, 1),
    padding_mode: str = "zeros",
    bias_C: torch.Tensor | None = None,
) -> list[nn.Conv2d]:
    """The same as ``smooth``, as two plain depth-wise convolutions; a bias is added at the end."""
    return [
        depthwise_conv2d(rows_CK.unsqueeze(1), stride=(1, stride[1]), padding_mode=padding_mode),
        depthwise_conv2d(columns_CK.unsqueeze(2), stride=(stride[0], 1), padding_mode=padding_mode, bias_C=bias_C),
    ]


def _depthwise(
    x_NCHW: torch.Tensor, weight_CKK: torch.Tensor, stride: tuple[int, int], padding_mode: str
) -> torch.Tensor:
    height, width = weight_CKK.shape[1] // 2, weight_CKK.shape[2] // 2
    weight_C1KK = weight_CKK.unsqueeze(1)
    if padding_mode == "zeros":
        return F.conv2d(x_NCHW, weight_C1KK, None, stride, (height, width), groups=len(weight_CKK))
    x_NCHW = F.pad(x_NCHW, (width, width, height, height), mode=padding_mode)
    return F.conv2d(x_NCHW, weight_C1KK, None, stride, groups=len(weight_CKK))
