"""A convolution whose input goes through a filter first: where the filtered input is read, and so needed."""

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv.plain import conv2d_like

# Shapes: N batch, C input channels, O output channels, H W image.


def reading_stride(conv: nn.Conv2d) -> tuple[int, int]:
    """The stride at which the filtered input of ``conv`` is needed.

    A 1x1 convolution without padding reads every stride-th position only, from the first; others may read all.
    """
    return (conv.stride[0], conv.stride[1]) if _samples(conv) else (1, 1)


def convolve(conv: nn.Conv2d, filtered_NCHW: torch.Tensor) -> torch.Tensor:
    """What ``conv`` makes of an input that was filtered at ``reading_stride``."""
    if _samples(conv):
        return F.conv2d(filtered_NCHW, conv.weight, conv.bias, groups=conv.groups)
    y_NOHW: torch.Tensor = conv._conv_forward(filtered_NCHW, conv.weight, conv.bias)
    return y_NOHW


def plain_conv2d(conv: nn.Conv2d) -> nn.Conv2d:
    """``convolve`` as a plain layer with copies of the weights."""
    plain = conv2d_like(conv, conv.weight, conv.bias)
    if _samples(conv):
        plain.stride = (1, 1)
    return plain


def _samples(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == (1, 1) and conv.padding in ((0, 0), "valid")
