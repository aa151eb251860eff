"""Convolution behind an attention map of each position's own, "Adapt." of Table 1g (Kobayashi 2023)."""

import math
from typing import Any, Never

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import filtered_input
from convrepro.conv.plain import NotFoldable
from convrepro.conv.smoothing import check_envelope_size, smooth

# Shapes: N batch, C input channels, O output channels, H W image, K side of the neighbourhood.


def attend(
    x_NCHW: torch.Tensor, scores_N1HW: torch.Tensor, size: int, *, stride: tuple[int, int], padding_mode: str
) -> torch.Tensor:
    r"""The mean of each neighbourhood, weighted by the softmax of its scores, at every stride-th position.

    :math:`\sum_j e^{s_j} x_j / \sum_j e^{s_j}`, both sums by passes along rows and columns, which need one common
    factor for the whole image. It is taken from the image's largest score. Scores lie above it minus 78 in float32
    (minus 637 in float64), lower ones are raised to that: no neighbourhood's sum is then 0.

    Args:
        size: side of the neighbourhood in pixels, odd.
    """
    lowest = 0.9 * math.log(torch.finfo(scores_N1HW.dtype).tiny)
    largest_N111 = scores_N1HW.detach().amax(dim=(-3, -2, -1), keepdim=True)  # cancels: no gradient is lost
    weights_N1HW = (scores_N1HW - largest_N111).clamp(min=lowest).exp()
    ones_CK = x_NCHW.new_ones(x_NCHW.shape[-3], size)
    weighted_NCHW = smooth(weights_N1HW * x_NCHW, ones_CK, ones_CK, stride=stride, padding_mode=padding_mode)
    return weighted_NCHW / smooth(weights_N1HW, ones_CK[:1], ones_CK[:1], stride=stride, padding_mode=padding_mode)


class AdaptiveAttentionConv2d(nn.Conv2d):
    r"""Convolution of an input that was averaged around each pixel with weights that depend on the neighbours.

    Implements Eqs. (13) and (14) in the place of the Gaussian of Eqs. (3) and (4):
    :math:`Y_o = \sum_c F_{oc} * \bar X_c` with
    :math:`\bar X(p) = \sum_j G_p[j] X(p + j)` and
    :math:`G_p = \operatorname{softmax}_j(w_c^\top X(p) + w_n^\top X(p + j))`, over the :math:`k_g \times k_g` pixels
    around p. The first term is the same for all j, and the softmax cancels it: ``neighbour_weight``, :math:`w_n`,
    is all there is to learn. With ``envelope_size=1`` this is ``nn.Conv2d``; with ``neighbour_weight`` 0,
    :math:`\bar X` is the plain mean.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        envelope_size: :math:`k_g`, side of the neighbourhood in pixels: odd, at least 1. The paper trains with 9
            (Sec. 3.1).
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape ``nn.Conv2d`` returns; N may be left out. The parameters are those of
        ``nn.Conv2d`` and ``neighbour_weight``, ``(C,)``. The image must have more than ``envelope_size // 2`` pixels
        a side where ``padding_mode`` is "reflect", and at least so many where it is "circular".

    Raises:
        ValueError: if ``envelope_size`` is even or below 1, or ``nn.Conv2d`` refuses its arguments.

    Deviations:
        :math:`w_c` of Eq. (14) is left out: no value of it changes the result, and it would never have a gradient.
        One map serves all channels, and with ``groups`` too it is made from all of them.
        Border: with ``padding_mode="zeros"``, pixels outside the image take no part, and the weights of those inside
        sum to 1; a zero would take part with the weight :math:`e^0`. With other modes the pixels by which the image
        is continued take part. The average has the size of the image; the convolution then continues it by
        ``padding``. ``dilation`` is that of the convolution only.
        Scores more than 78 below the image's largest count as 78 below in float32, see ``attend``. In float16 that
        floor lies 8.7 below it, within the range of ordinary scores: use float32 or bfloat16.
        ``neighbour_weight`` starts as N(0, 2 / C) and ``weight`` as N(0, 2 / (k^2 I)) (He et al. 2015): the first
        is a 1x1 convolution to one channel, and starts as the plain convolutions of the project do; the paper's
        "standard protocol" (Sec. 3) names no rule.

    Example:
        >>> conv = AdaptiveAttentionConv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
        >>> conv.neighbour_weight.shape
        torch.Size([3])
    """

    def __init__(self, *args: Any, envelope_size: int = 9, **kwargs: Any) -> None:
        check_envelope_size(envelope_size)
        super().__init__(*args, **kwargs)
        self.envelope_size = envelope_size
        self.neighbour_weight = nn.Parameter(self.weight.new_empty(self.in_channels))
        self._reset_neighbour_weight()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        if "neighbour_weight" in self._parameters:  # nn.Conv2d resets before there is one
            self._reset_neighbour_weight()

    def _reset_neighbour_weight(self) -> None:
        nn.init.normal_(self.neighbour_weight, std=math.sqrt(2 / self.in_channels))

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        scores_N1HW = F.conv2d(x_NCHW, self.neighbour_weight[None, :, None, None])
        stride = filtered_input.reading_stride(self)
        x_NCHW = attend(x_NCHW, scores_N1HW, self.envelope_size, stride=stride, padding_mode=self.padding_mode)
        return filtered_input.convolve(self, x_NCHW)

    def to_conv2d(self) -> Never:
        """Raises NotFoldable: the attention is a function of the image."""
        raise NotFoldable("AdaptiveAttentionConv2d averages its input by weights that the image itself decides.")

    def extra_repr(self) -> str:
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, envelope_size={self.envelope_size}"
