"""Adaptive convolution kernel, ACONV (Tek, Çam, Karlı 2021, J. Vis. Commun. Image Represent. 75, 103015)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from convrepro.conv.gaussian_envelope import gaussian_envelopes, squared_distances
from convrepro.conv.plain import conv2d_like

# Shapes: N batch, C input channels, O output channels, I = C / groups, H W image, K = kh kw positions.


class AdaptiveConv2d(nn.Conv2d):
    r"""Convolution whose kernels are masked by a Gaussian envelope that learns how wide each filter is.

    Implements Eq. (3), :math:`O = X \star (W \circ U)`, with the envelope of Eq. (11) and the scale of Eq. (21):
    :math:`U = s \exp(-|g - \mu|^2 / (2 \sigma^2))` on a grid g from 0 to 1 with the centre :math:`\mu = 0.5`, where s
    makes :math:`|U|^2 = n^2`. There is one trainable :math:`\sigma` per filter (Sec. 3.2), whose gradient, Eq. (12),
    goes through the scale too. Normalised so, the envelope leaves the mean variance of the weights what it is
    (Theorem 3.1).

    For :math:`\sigma \to \infty` this is ``nn.Conv2d`` with the kernels W; for :math:`\sigma \to 0` and odd sides it is
    the 1 x 1 convolution with the middle of W times n.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        sigma_init: :math:`\sigma` at the start, in sides of the grid, positive: two numbers, between which the filters
            are spaced evenly, or one number for all. The paper uses 0.1 to 0.5 (Sec. 4.2).
        normalized: whether to scale by Eq. (21). False gives the :math:`U_0` of Fig. 3.
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape that ``nn.Conv2d`` returns. The parameters are ``weight`` ``(O, I, kh, kw)``,
        ``sigma`` ``(O)`` and, if asked for, ``bias`` ``(O)``.

    Raises:
        ValueError: if ``sigma_init`` is not one or two positive numbers, or if ``nn.Conv2d`` refuses its arguments.

    Deviations:
        Sec. 3.2 has the grid k/n for k = 1 .. n and the centre 0.5 n, which lie in different units; the grid here is
        x/(n - 1) for x = 0 .. n - 1 and the centre 0.5, as in the authors' code, which adds 1e-8 to the
        :math:`2 \sigma^2`; the paper and this class do not.
        Each axis of a kernel that is not square has a grid from 0 to 1 of its own; a side of 1 is its centre. A 1x1
        layer is therefore ``nn.Conv2d``: its :math:`\sigma` has no effect and the gradient 0.
        Eq. (21) as printed makes :math:`|U|^2` 1; Theorem 3.1 and the text below Eq. (20) want :math:`n^2`.
        The envelope, repeated over the input channels, has the norm :math:`\sqrt{I n^2}`, which is that of each alone.
        The paper names no initialisation of W; it is He-uniform, within :math:`\sqrt{6 / (I n^2)}` of 0, as in the
        authors' code. The bias, which the paper does not have, starts as that of ``nn.Conv2d`` and is not masked.
        :math:`\sigma` starts in 0.1 to 0.5 (Sec. 4.2; the authors' code has 0.1 to 0.3 and 0.1 to 0.25 in some of its
        runs) though it is clipped to 1/n or more (Sec. 3.3): for n below 10 the first step lifts the smallest ones.

    Example:
        >>> conv = AdaptiveConv2d(3, 8, kernel_size=7, padding=3, bias=False)
        >>> conv(torch.ones(1, 3, 9, 9)).shape
        torch.Size([1, 8, 9, 9])
        >>> conv.envelope().square().mean(dim=(1, 2)).allclose(torch.ones(8))
        True
    """

    _distance2: torch.Tensor

    def __init__(
        self, *args: Any, sigma_init: float | Sequence[float] = (0.1, 0.5), normalized: bool = True, **kwargs: Any
    ) -> None:
        ends = tuple(sigma_init) if isinstance(sigma_init, Sequence) else (sigma_init, sigma_init)
        if len(ends) != 2 or not all(0.0 < end < math.inf for end in ends):
            raise ValueError(f"`sigma_init` must be one or two positive numbers, got {sigma_init}.")
        super().__init__(*args, **kwargs)
        self.sigma_init = ends
        self.normalized = normalized
        self.sigma = nn.Parameter(self.weight.new_empty(self.out_channels))
        # Whole numbers stay exact when a network is turned to float64; so sigma is taken in their unit.
        self._units_per_side = 2 * math.lcm(*(max(side - 1, 1) for side in self.kernel_size))
        self.register_buffer("_distance2", self.weight.new_empty(math.prod(self.kernel_size)), persistent=False)
        self.register_load_state_dict_post_hook(AdaptiveConv2d._fill_distances)  # type: ignore[no-untyped-call]
        self._reset_envelope()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_uniform_(self.weight, mode="fan_in", nonlinearity="relu")
        if "sigma" in self._parameters:  # nn.Conv2d resets before there is one
            self._reset_envelope()

    @torch.no_grad()
    def _reset_envelope(self) -> None:
        self.sigma.copy_(torch.linspace(*self.sigma_init, self.out_channels, dtype=torch.float64))
        self._fill_distances()

    def _fill_distances(self, *_: Any) -> None:
        """Squared distances from the centre, which no state dict has."""
        steps = [self._units_per_side // (2 * max(side - 1, 1)) for side in self.kernel_size]
        self._distance2 = squared_distances(self.kernel_size, steps).to(self.sigma)

    def envelope(self) -> torch.Tensor:
        """The envelope of each filter, the same for all its input channels: ``(O, kh, kw)``."""
        variance_O = (self._units_per_side * self.sigma).square()
        envelope_OK = gaussian_envelopes(self._distance2, variance_O, normalized=self.normalized)
        return envelope_OK.reshape(-1, *self.kernel_size)

    def effective_weight(self) -> torch.Tensor:
        """The kernels of the convolution, W times U: ``(O, I, kh, kw)``."""
        return self.weight * self.envelope().unsqueeze(1)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        y_NOHW: torch.Tensor = self._conv_forward(x_NCHW, self.effective_weight(), self.bias)
        return y_NOHW

    @torch.no_grad()
    def clip_sigma_(self, low: float | None = None, high: float | None = None) -> None:
        """Clips sigma to [low, high]; by default to [1/n, n] (Sec. 3.3), where n is the larger side of the kernel."""
        side = max(self.kernel_size)
        self.sigma.clamp_(1 / side if low is None else low, side if high is None else high)

    def to_conv2d(self) -> nn.Conv2d:
        """The same function as a plain convolution, with copied weights."""
        return conv2d_like(self, self.effective_weight(), self.bias)

    def extra_repr(self) -> str:
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, sigma_init={self.sigma_init}, normalized={self.normalized}"
