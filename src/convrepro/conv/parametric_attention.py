"""Convolution behind a trained attention map, "Param." of Table 1g (Kobayashi 2023)."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import filtered_input
from convrepro.conv.plain import depthwise_conv2d
from convrepro.conv.smoothing import check_envelope_size

# Shapes: N batch, C input channels, O output channels, H W image, K side of the map.

_START_VARIANCE = math.log(2)  # softplus(0), at which the Gaussian envelope of the paper's own method starts


class ParametricAttentionConv2d(nn.Conv2d):
    r"""Convolution of an input that was averaged by one trained map of non-negative weights with sum 1.

    Implements Eq. (12) in the place of the Gaussian of Eqs. (3) and (4):
    :math:`Y_o = \sum_c F_{oc} * (\hat g * X_c)` with :math:`\hat g = \operatorname{softmax}(G)` over all
    :math:`k_g \times k_g` positions, the same at all pixels. Where the central logit exceeds the others by far, this
    is ``nn.Conv2d``.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        envelope_size: :math:`k_g`, side of the map in pixels: odd, at least 1. The paper trains with 9 (Sec. 3.1).
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape ``nn.Conv2d`` returns; N may be left out. The parameters are those of
        ``nn.Conv2d`` and ``attention_logits``, ``(K, K)``. The image must have more than ``envelope_size // 2``
        pixels a side where ``padding_mode`` is "reflect", and at least so many where it is "circular".

    Raises:
        ValueError: if ``envelope_size`` is even or below 1, or ``nn.Conv2d`` refuses its arguments.

    Deviations:
        One map serves all channels: :math:`G \in R^{k_g \times k_g}` is printed without a channel.
        The start is not printed. It is the Gaussian at which the paper's own method starts,
        :math:`G = -(x^2 + y^2) / (2 \ln 2)` for :math:`\sigma^2 = \operatorname{softplus}(0)`; zeros would be an
        average over 9 x 9 pixels. ``weight`` starts as N(0, 2 / (k^2 I)) (He et al. 2015), as the plain convolutions
        of the project do.
        Border: the averaging continues the image by ``padding_mode`` so that its output has the size of its input,
        and the convolution then by ``padding``. The map is applied as by ``nn.Conv2d``, without a flip.
        ``dilation`` is that of the convolution only.

    Example:
        >>> conv = ParametricAttentionConv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
        >>> conv.attention().sum()
        tensor(1.0000, grad_fn=<SumBackward0>)
    """

    def __init__(self, *args: Any, envelope_size: int = 9, **kwargs: Any) -> None:
        check_envelope_size(envelope_size)
        super().__init__(*args, **kwargs)
        self.envelope_size = envelope_size
        self.attention_logits = nn.Parameter(self.weight.new_empty(envelope_size, envelope_size))
        self._reset_attention()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        if "attention_logits" in self._parameters:  # nn.Conv2d resets before there is one
            self._reset_attention()

    @torch.no_grad()
    def _reset_attention(self) -> None:
        x_K = torch.arange(self.envelope_size, device=self.weight.device) - self.envelope_size // 2
        squares_K = x_K.square()
        self.attention_logits.copy_(-(squares_K + squares_K.unsqueeze(1)) / (2 * _START_VARIANCE))

    def attention(self) -> torch.Tensor:
        """The map, Eq. (12): ``(K, K)``."""
        return torch.softmax(self.attention_logits.flatten(), dim=0).view_as(self.attention_logits)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        attention_C1KK = self.attention().expand(self.in_channels, 1, -1, -1)
        stride, margin = filtered_input.reading_stride(self), self.envelope_size // 2
        if self.padding_mode == "zeros":
            x_NCHW = F.conv2d(x_NCHW, attention_C1KK, None, stride, margin, groups=self.in_channels)
        else:
            x_NCHW = F.pad(x_NCHW, [margin] * 4, mode=self.padding_mode)
            x_NCHW = F.conv2d(x_NCHW, attention_C1KK, None, stride, groups=self.in_channels)
        return filtered_input.convolve(self, x_NCHW)

    @torch.no_grad()
    def to_conv2d(self) -> nn.Sequential:
        """The same function by a depth-wise convolution and the convolution. The weights are copies."""
        attention_CKK = self.attention().expand(self.in_channels, -1, -1)
        stride = filtered_input.reading_stride(self)
        average = depthwise_conv2d(attention_CKK, stride=stride, padding_mode=self.padding_mode)
        return nn.Sequential(average, filtered_input.plain_conv2d(self))

    def extra_repr(self) -> str:
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, envelope_size={self.envelope_size}"
