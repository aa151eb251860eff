"""Convolution with local squeeze-and-excitation, "+SE" of Table 1g (Kobayashi 2023; Hu et al. 2018)."""

from typing import Any, Never

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv.centred_window import check_centre, continued, symmetric_padding, window_average
from convrepro.conv.plain import NotFoldable
from convrepro.conv.smoothing import check_envelope_size

# Shapes: N batch, C input channels, O output channels, I = C / groups, H W padded image, H' W' output, k kernel side.


def gated_convolution(
    x_NCHW: torch.Tensor,
    gate_NCHW: torch.Tensor,
    weight_OIkk: torch.Tensor,
    *,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> torch.Tensor:
    r"""Each input channel's share of the response times its gate at the output position: ``(N, O, H', W')``.

    :math:`y_d(p) = \sum_c a_c(p) \sum_j F_{dcj} x_c(p + j)`, as the sum over the kernel's positions j of 1x1
    convolutions of :math:`a_c(p) x_c(p + j)`: of what was measured in channels-last on a CPU (64 channels, 32 x 32,
    training step over that of the plain 3x3 convolution) the fastest, 4.2, and without k^2 copies of the image;
    one matrix product of those copies: 5.5 to 6.0, by ``F.unfold``: 14.

    Args:
        x_NCHW: the image, padded.
        gate_NCHW: :math:`a`, ``(N, C, H', W')``.
    """
    kernel_height, kernel_width = weight_OIkk.shape[2:]
    last_top, last_left = (kernel_height - 1) * dilation[0], (kernel_width - 1) * dilation[1]
    y_NOHW = x_NCHW.new_zeros(())
    for row in range(kernel_height):
        for column in range(kernel_width):
            top, left = row * dilation[0], column * dilation[1]
            rows = slice(top, x_NCHW.shape[-2] - last_top + top, stride[0])
            columns = slice(left, x_NCHW.shape[-1] - last_left + left, stride[1])
            weight_OI11 = weight_OIkk[:, :, row : row + 1, column : column + 1]
            y_NOHW = y_NOHW + F.conv2d(gate_NCHW * x_NCHW[..., rows, columns], weight_OI11, groups=groups)
    return y_NOHW


class LocalSqueezeExcitationConv2d(nn.Conv2d):
    r"""Convolution that weighs each input channel at each output position by its mean around that position.

    Implements Eq. (16): :math:`Y_d(x, y) = \sum_c \operatorname{sigmoid}(\alpha_c \bar X^{avg}_c(x, y))
    [F_{dc} * X_c](x, y)`, where :math:`\bar X^{avg}` is the average over :math:`k_g \times k_g` pixels. With
    ``alpha`` 0, as at the start, this is half of ``nn.Conv2d`` without bias.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        envelope_size: :math:`k_g`, side of the window in pixels: odd, at least 1. The paper trains with 9
            (Sec. 3.1).
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape ``nn.Conv2d`` returns; N may be left out. The parameters are those of
        ``nn.Conv2d`` and ``alpha``, ``(C,)``. Where ``padding_mode`` is "reflect" or "circular", the image must be
        large enough to be continued to the window's border.

    Raises:
        ValueError: if ``envelope_size`` is even or below 1, if the kernel's centre lies between pixels, or if
            ``nn.Conv2d`` refuses its arguments.

    Deviations:
        The gate is that of the output position, as printed, and not that of the pixel that is read: no gated image
        followed by a convolution computes it, unless the kernel is 1x1.
        The window is centred on the kernel's centre at each output position, also with a stride, any padding and
        dilation; ``dilation`` does not spread it. The image is continued by ``padding_mode`` as far as the window
        reaches, whatever ``padding`` is. Zeros so added count: the sum is divided by :math:`k_g^2` everywhere, as by
        default in average pooling.
        The bias, of which the paper has none, is added at the end and not gated.
        ``alpha`` starts at 0, where all gates are 1/2; it is not printed. ``weight`` starts as N(0, 2 / (k^2 I))
        (He et al. 2015), as the plain convolutions of the project do.

    Example:
        >>> conv = LocalSqueezeExcitationConv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
        >>> conv.alpha.shape
        torch.Size([3])
    """

    def __init__(self, *args: Any, envelope_size: int = 9, **kwargs: Any) -> None:
        check_envelope_size(envelope_size)
        super().__init__(*args, **kwargs)
        check_centre(self)
        self.envelope_size = envelope_size
        self.alpha = nn.Parameter(self.weight.new_zeros(self.in_channels))

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        if "alpha" in self._parameters:  # nn.Conv2d resets before there is one
            nn.init.zeros_(self.alpha)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        average_NCHW = window_average(self, x_NCHW, self.envelope_size)
        gate_NCHW = torch.sigmoid(self.alpha[:, None, None] * average_NCHW)
        x_NCHW = continued(self, x_NCHW, *symmetric_padding(self))
        y_NOHW = gated_convolution(
            x_NCHW, gate_NCHW, self.weight, stride=self.stride, dilation=self.dilation, groups=self.groups
        )
        return y_NOHW if self.bias is None else y_NOHW + self.bias[:, None, None]

    def to_conv2d(self) -> Never:
        """Raises NotFoldable: the gates are functions of the image."""
        raise NotFoldable("LocalSqueezeExcitationConv2d gates its input by averages of the image itself.")

    def extra_repr(self) -> str:
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, envelope_size={self.envelope_size}"
