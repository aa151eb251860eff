"""Convolution with a projection of the local mean, "+Proj." of Table 1g (Kobayashi 2023)."""

from typing import Any

import torch
from torch import nn

from convrepro.conv.centred_window import check_centre, symmetric_padding, window_average
from convrepro.conv.plain import conv2d_with
from convrepro.conv.smoothing import check_envelope_size

# Shapes: N batch, C input channels, O output channels, I = C / groups, H W image, k kernel side, K window side.


class ProjectedConv2d(nn.Conv2d):
    r"""Convolution that adds to each output channel a multiple of the mean of the input around the kernel.

    Implements Eq. (15): :math:`Y_d = \sum_c F_{dc} * X_c + w_d \frac1C \sum_c \bar X^{avg}_c`, where
    :math:`\bar X^{avg}` is the average over :math:`k_g \times k_g` pixels. With ``projection_weight`` 0, as at the
    start, this is ``nn.Conv2d``.

    Folded, it is one dense convolution whose side is the larger of k and :math:`k_g`, which costs more than the layer
    itself (64 channels, 16 x 16: 3.4 times its forward pass). Fold it for export, not for speed.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        envelope_size: :math:`k_g`, side of the window in pixels: odd, at least 1. The paper trains with 9
            (Sec. 3.1).
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape ``nn.Conv2d`` returns; N may be left out. The parameters are those of
        ``nn.Conv2d`` and ``projection_weight``, ``(O,)``. Where ``padding_mode`` is "reflect" or "circular", the
        image must be large enough to be continued to the window's border.

    Raises:
        ValueError: if ``envelope_size`` is even or below 1, if the kernel's centre lies between pixels, or if
            ``nn.Conv2d`` refuses its arguments.

    Deviations:
        The window is centred on the kernel's centre at each output position, also with a stride, any padding and
        dilation; ``dilation`` does not spread it. The image is continued by ``padding_mode`` as far as the window
        reaches, whatever ``padding`` is. Zeros so added count: the sum is divided by :math:`k_g^2` everywhere, as by
        default in average pooling.
        The average is over all C input channels, as printed, with ``groups`` too.
        ``projection_weight`` starts at 0, where the layer is the plain convolution; it is not printed.
        ``weight`` starts as N(0, 2 / (k^2 I)) (He et al. 2015), as the plain convolutions of the project do.

    Example:
        >>> conv = ProjectedConv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
        >>> conv.to_conv2d()
        Conv2d(3, 8, kernel_size=(9, 9), stride=(1, 1), padding=(4, 4))
    """

    def __init__(self, *args: Any, envelope_size: int = 9, **kwargs: Any) -> None:
        check_envelope_size(envelope_size)
        super().__init__(*args, **kwargs)
        check_centre(self)
        self.envelope_size = envelope_size
        self.projection_weight = nn.Parameter(self.weight.new_zeros(self.out_channels))

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        if "projection_weight" in self._parameters:  # nn.Conv2d resets before there is one
            nn.init.zeros_(self.projection_weight)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        # Averages commute: over the channels first, the window has one image to go over instead of C.
        mean_N1HW = window_average(self, x_NCHW.mean(dim=-3, keepdim=True), self.envelope_size)
        y_NOHW: torch.Tensor = self._conv_forward(x_NCHW, self.weight, self.bias)
        return y_NOHW + self.projection_weight[:, None, None] * mean_N1HW

    @torch.no_grad()
    def to_conv2d(self) -> nn.Conv2d:
        """The same function as one convolution, its side the larger of kernel and window. The weights are copies.

        It is dense: its ``dilation`` and ``groups`` are 1, as the window has no gaps and spans all channels. So it
        costs more than the layer, where the window is larger than the kernel: it is for export, not for speed.
        """
        reach = [(size - 1) * step // 2 for size, step in zip(self.kernel_size, self.dilation, strict=True)]
        window = self.envelope_size // 2
        side = [2 * max(r, window) + 1 for r in reach]
        kernel_y, kernel_x = (
            slice(s // 2 - r, s // 2 + r + 1, d) for s, r, d in zip(side, reach, self.dilation, strict=True)
        )
        window_y, window_x = (slice(s // 2 - window, s // 2 + window + 1) for s in side)
        padding = [p + s // 2 - r for p, s, r in zip(symmetric_padding(self), side, reach, strict=True)]

        weight_OCKK = self.weight.new_zeros(self.out_channels, self.in_channels, *side)
        weight_OCKK[:, :, kernel_y, kernel_x] = _without_groups(self.weight, self.groups)
        share_O111 = self.projection_weight[:, None, None, None] / (self.in_channels * self.envelope_size**2)
        weight_OCKK[:, :, window_y, window_x] += share_O111
        geometry = {"stride": self.stride, "padding": tuple(padding), "padding_mode": self.padding_mode}
        return conv2d_with(self.in_channels, weight_OCKK, self.bias, **geometry)

    def extra_repr(self) -> str:
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, envelope_size={self.envelope_size}"


def _without_groups(weight_OIkk: torch.Tensor, groups: int) -> torch.Tensor:
    """The kernels of a grouped convolution with zeros for the channels of other groups: ``(O, C, k, k)``."""
    own_GG = torch.eye(groups, dtype=weight_OIkk.dtype, device=weight_OIkk.device)
    grouped_GOIkk = torch.unflatten(weight_OIkk, 0, (groups, -1))
    return (own_GG[:, None, :, None, None, None] * grouped_GOIkk.unsqueeze(2)).flatten(2, 3).flatten(0, 1)
