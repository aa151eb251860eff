"""Curriculum by smoothing, "CBS" of Table 1g (Sinha, Garg, Larochelle 2020; Kobayashi 2023)."""

import math
from typing import Any

import torch
from torch import nn

from convrepro.conv.plain import conv2d_like
from convrepro.conv.smoothing import check_envelope_size, gaussian_taps, smooth, smoothing_layers

# Shapes: N batch, C input channels, O output channels, H W image, K taps.


class CurriculumSmoothingConv2d(nn.Conv2d):
    r"""Convolution whose output is smoothed by a Gaussian that gets narrower as training goes on.

    Implements the comparison method of Kobayashi 2023, Sec. 2.4, "Smoothing" (the order of Eqs. (5) and (6)):
    :math:`Y_o = g_\sigma * \sum_c F_{oc} * X_c` with a fixed Gaussian of sum 1, the same for all channels, and
    :math:`\sigma = \sigma_0 \gamma^{\lfloor e / E \rfloor}` in epoch e = 0, 1, ... With ``initial_sigma=0`` this is
    ``nn.Conv2d``.

    The layer stays in the epoch that ``set_epoch`` told it last, at first 0. Training tells every layer with this
    method the epoch when it starts; evaluation is with the sigma of the epoch before it.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        envelope_size: taps of the Gaussian in each direction, in pixels: odd, at least 1. The authors of CBS use 3
            (their code, ``--kernel_size``).
        initial_sigma: :math:`\sigma_0` in pixels, at least 0. The authors of CBS use 1 (``--std``).
        decay_factor: :math:`\gamma`, dimensionless, in (0, 1]. The authors of CBS use 0.9 (``--std_factor``).
        decay_epochs: E, epochs between two decays, above 0. The authors of CBS use 5 (``--epoch``).
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(N, C, H, W)`` to the shape ``nn.Conv2d`` returns; N may be left out. The parameters are those of
        ``nn.Conv2d``; ``sigma`` is a buffer, a single number. The output must have more than ``envelope_size // 2``
        pixels a side where ``padding_mode`` is "reflect", and at least so many where it is "circular".

    Raises:
        ValueError: if an argument of its own is out of range, or ``nn.Conv2d`` refuses its arguments.

    Deviations:
        Kobayashi 2023 prints neither size nor schedule: those of the CBS code's defaults are taken.
        The authors of CBS smooth with zeros around the feature map; here it is continued by ``padding_mode``.
        The bias, of which they have none, is added after the smoothing, so that zeros do not dim it at the border.
        In a scaled-down run the epoch is that of the whole recipe, as it is for the learning rate.
        ``weight`` starts as N(0, 2 / (k^2 I)) (He et al. 2015), as the plain convolutions of the project and those of
        the CBS code do.

    Example:
        >>> conv = CurriculumSmoothingConv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(torch.ones(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
        >>> conv.set_epoch(12)
        >>> conv.sigma  # 1 * 0.9 ** 2
        tensor(0.8100)
    """

    sigma: torch.Tensor

    def __init__(
        self,
        *args: Any,
        envelope_size: int = 3,
        initial_sigma: float = 1.0,
        decay_factor: float = 0.9,
        decay_epochs: float = 5,
        **kwargs: Any,
    ) -> None:
        check_envelope_size(envelope_size)
        if not 0 <= initial_sigma < math.inf:
            raise ValueError(f"`initial_sigma` must be at least 0 and finite, got {initial_sigma}.")
        if not 0 < decay_factor <= 1:
            raise ValueError(f"`decay_factor` must lie in (0, 1], got {decay_factor}.")
        if not 0 < decay_epochs < math.inf:
            raise ValueError(f"`decay_epochs` must be above 0 and finite, got {decay_epochs}.")
        super().__init__(*args, **kwargs)
        self.envelope_size = envelope_size
        self.initial_sigma = initial_sigma
        self.decay_factor = decay_factor
        self.decay_epochs = decay_epochs
        self.register_buffer("sigma", self.weight.new_full((), initial_sigma))

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
        if "sigma" in self._buffers:  # nn.Conv2d resets before there is one
            self.set_epoch(0)

    def set_epoch(self, epoch: float) -> None:
        """Sets sigma to that of an epoch, of which the first is 0; it depends on nothing else."""
        self.sigma.fill_(self.initial_sigma * self.decay_factor ** math.floor(epoch / self.decay_epochs))

    def taps(self) -> torch.Tensor:
        """The Gaussian of each output channel in one direction: ``(O, K)``."""
        return gaussian_taps(self.sigma.square().expand(self.out_channels), self.envelope_size)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        y_NOHW: torch.Tensor = self._conv_forward(x_NCHW, self.weight, None)
        taps = self.taps()
        y_NOHW = smooth(y_NOHW, taps, taps, padding_mode=self.padding_mode)
        return y_NOHW if self.bias is None else y_NOHW + self.bias[:, None, None]

    @torch.no_grad()
    def to_conv2d(self) -> nn.Conv2d | nn.Sequential:
        """The same function, at the sigma that it has, by plain convolutions. The weights are copies.

        It is one convolution where no tap but the central one is left: in float32 below a sigma of 0.07. Else two
        depth-wise ones follow.
        """
        taps = self.taps()
        if torch.count_nonzero(taps) == self.out_channels:
            return conv2d_like(self, self.weight, self.bias)
        layers = smoothing_layers(taps, taps, padding_mode=self.padding_mode, bias_C=self.bias)
        return nn.Sequential(conv2d_like(self, self.weight, None), *layers)

    def extra_repr(self) -> str:
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        own = ("envelope_size", "initial_sigma", "decay_factor", "decay_epochs")
        return ", ".join([shown, *(f"{name}={getattr(self, name)}" for name in own)])
