"""Convolution with a Gaussian on its kernel, "Mult." of Table 1g (Kobayashi 2023)."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv.gaussian_envelope import gaussian_envelopes, squared_distances
from convrepro.conv.plain import conv2d_like

# Shapes: N batch, C input channels, O output channels, I = C / groups, H W image, k kernel side.

_SMALLEST_VARIANCE = 1e-4  # squared taps; below, no value changes in float64 either, but 0 / 0 would be NaN


class MultiplicativeEnvelopeConv2d(nn.Conv2d):
    r"""Convolution whose kernels are multiplied by a Gaussian of learned width, one for each input channel.

    Implements Eq. (10), :math:`w_{oc}(x, y) = g_c(x, y) f_{oc}(x, y)`, on the same k x k positions, with the width of
    Sec. 2.3, :math:`\sigma_c^2 = \operatorname{softplus}(\tilde\sigma_c)`. Where :math:`\sigma_c \to \infty`, this is
    ``nn.Conv2d``; a 1x1 kernel is that always, and ``sigma_raw`` then has the gradient 0.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape ``nn.Conv2d`` returns; N may be left out. The parameters are those of
        ``nn.Conv2d`` and ``sigma_raw``, ``(C,)``.

    Raises:
        ValueError: if ``nn.Conv2d`` refuses its arguments.

    Deviations:
        g is scaled to the norm k of an envelope of ones, as that of the adaptive kernels of Tek et al. 2021 is, and
        the gradient goes through the scaling: the kernels keep their mean variance, and a wide envelope changes
        nothing. With the sum 1 of Eq. (9), the kernels would start k^2 times smaller.
        Distances are counted in taps from the kernel's centre, so that ``dilation`` does not change g.
        :math:`\tilde\sigma_c` starts at 0, as in the paper's own method (Sec. 3): :math:`\sigma_c` is 0.83 taps.
        ``weight`` starts as N(0, 2 / (k^2 I)) (He et al. 2015), as the plain convolutions of the project do.

    Example:
        >>> conv = MultiplicativeEnvelopeConv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
        >>> conv.to_conv2d()
        Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sigma_raw = nn.Parameter(self.weight.new_zeros(self.in_channels))

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        if "sigma_raw" in self._parameters:  # nn.Conv2d resets before there is one
            nn.init.zeros_(self.sigma_raw)

    def envelope(self) -> torch.Tensor:
        """The Gaussian of each input channel: ``(C, k, k)``."""
        variance_C = F.softplus(self.sigma_raw).clamp(min=_SMALLEST_VARIANCE)
        distance2_K = squared_distances(self.kernel_size, device=self.sigma_raw.device)  # of half taps
        return gaussian_envelopes(distance2_K, 4 * variance_C).reshape(-1, *self.kernel_size)

    def effective_weight(self) -> torch.Tensor:
        """The kernels of Eq. (10): ``(O, I, k, k)``."""
        envelope_GIkk = torch.unflatten(self.envelope(), 0, (self.groups, -1))
        weight_GOIkk = torch.unflatten(self.weight, 0, (self.groups, -1))
        return (weight_GOIkk * envelope_GIkk.unsqueeze(1)).flatten(0, 1)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        y_NOHW: torch.Tensor = self._conv_forward(x_NCHW, self.effective_weight(), self.bias)
        return y_NOHW

    @torch.no_grad()
    def to_conv2d(self) -> nn.Conv2d:
        """The same function as a plain convolution. The weights are copies."""
        return conv2d_like(self, self.effective_weight(), self.bias)
