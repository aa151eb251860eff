"""Convolution behind a trainable depth-wise filter, "+DW" of Table 1g (Kobayashi 2023; Howard et al. 2017)."""

from typing import Any

import torch
from torch import nn

from convrepro.conv import filtered_input
from convrepro.conv.smoothing import check_envelope_size, smooth, smoothing_layers

# Shapes: N batch, C input channels, O output channels, H W image, K taps.


class DepthwiseFilteredConv2d(nn.Conv2d):
    r"""Convolution of an input whose channels each went through trainable 1 x K and K x 1 filters.

    Implements Sec. 2.4, "Convolution": Eqs. (3) and (4),
    :math:`Y_o = \sum_c F_{oc} * (v_c * (u_c * X_c))`, with free taps :math:`u_c` along the rows and :math:`v_c`
    along the columns in place of the Gaussian's. Where the central taps are 1 and all others 0, this is
    ``nn.Conv2d``.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        envelope_size: :math:`k_g`, taps in each direction, in pixels: odd, at least 1. The paper trains with 9
            (Sec. 3.1).
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape ``nn.Conv2d`` returns; N may be left out. The parameters are those of
        ``nn.Conv2d`` and ``row_weight``, ``column_weight``, each ``(C, K)``: 2 K C more. The image must have more
        than ``envelope_size // 2`` pixels a side where ``padding_mode`` is "reflect", and at least so many where it
        is "circular".

    Raises:
        ValueError: if ``envelope_size`` is even or below 1, or ``nn.Conv2d`` refuses its arguments.

    Deviations:
        The taps start as :math:`N(0, 1/k_g)`, and ``weight`` as :math:`N(0, 2 / (k^2 I))`: the fan-in rule of He et
        al. 2015, by which all convolutions of the project start, with the factor 2 of a rectifier only before the
        filter, as none stands in between. The layer then starts at the scale of the plain convolution. The paper's
        "standard protocol" (Sec. 3) names no rule; that its +DW is worse than no filter speaks against a start at
        its Gaussian.
        Nothing stands between the three convolutions, no bias, normalisation or rectifier: the paper mentions none.
        Border: the depth-wise filter continues the image by ``padding_mode`` so that its output has the size of its
        input, and the convolution then by ``padding``. ``dilation`` is that of the convolution only.

    Example:
        >>> conv = DepthwiseFilteredConv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
        >>> conv.row_weight.shape
        torch.Size([3, 9])
    """

    def __init__(self, *args: Any, envelope_size: int = 9, **kwargs: Any) -> None:
        check_envelope_size(envelope_size)
        super().__init__(*args, **kwargs)
        self.envelope_size = envelope_size
        self.row_weight = nn.Parameter(self.weight.new_empty(self.in_channels, envelope_size))
        self.column_weight = nn.Parameter(self.weight.new_empty(self.in_channels, envelope_size))
        self._reset_taps()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        if "column_weight" in self._parameters:  # nn.Conv2d resets before there is one
            self._reset_taps()

    def _reset_taps(self) -> None:
        nn.init.kaiming_normal_(self.row_weight, mode="fan_in", nonlinearity="linear")
        nn.init.kaiming_normal_(self.column_weight, mode="fan_in", nonlinearity="linear")

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        stride = filtered_input.reading_stride(self)
        x_NCHW = smooth(x_NCHW, self.row_weight, self.column_weight, stride=stride, padding_mode=self.padding_mode)
        return filtered_input.convolve(self, x_NCHW)

    @torch.no_grad()
    def to_conv2d(self) -> nn.Sequential:
        """The same function by two depth-wise convolutions and the convolution. The weights are copies."""
        taps = self.row_weight, self.column_weight
        stride = filtered_input.reading_stride(self)
        layers = smoothing_layers(*taps, stride=stride, padding_mode=self.padding_mode)
        return nn.Sequential(*layers, filtered_input.plain_conv2d(self))

    def extra_repr(self) -> str:
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, envelope_size={self.envelope_size}"
