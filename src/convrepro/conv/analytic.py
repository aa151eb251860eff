"""Analytic convolutional layer (Cui, Tao, Tao, Liu, Cheng 2024, https://arxiv.org/abs/2407.06087)."""

import math
from collections.abc import Iterator
from typing import Any, Self

import torch
from torch import nn

from convrepro.conv import kernel_functions
from convrepro.conv.arrangement import Arrangement
from convrepro.conv.kernel_functions import PLAIN, Grid
from convrepro.conv.plain import conv2d_like

# Shapes: B batch, C input channels, O output channels, I = C / groups, H W image, h w rows and columns of a kernel,
#         K = h w points of a kernel, N kernels of one kind, P parameters of each.


class AnalyticConv2d(nn.Conv2d):
    r"""Convolution whose kernels are, in part, sampled from functions with a few trainable parameters.

    Implements Sec. 3.2 of the paper: the O I kernels, in the order k = q I + p of output channel q and input channel
    p, are cut into the components of an arrangement (Eq. 9, or 10 in ratios). A component's kernels are
    :math:`W^k_{ij} = f(i', j'; \phi^k)` (Eq. 2) on the grid :math:`i' = i - (h+1)/2, j' = j - (w+1)/2` (Eq. 3), with
    the function f of its kind and parameters :math:`\phi^k` of their own:

    ====== ============================= ==================================== =================
    symbol kernel                        parameters                           equation
    ====== ============================= ==================================== =================
    ``G``  Gabor                         wavelength, theta, psi, sigma        12, gamma = 1
    ``Lg`` Laplacian of Gaussian         sigma                                15
    ``Lt`` Laplacian of TGD              sigma                                23
    ``Tf`` first-order TGD               theta, gamma_1, gamma_2              16
    ``Ts`` second-order TGD              theta, gamma                         19
    ``M``  mean                          none: it is fixed                    11
    ``P``  plain                         its h w values                       4
    ====== ============================= ==================================== =================

    ``convrepro.conv.kernel_functions`` has the functions, and how to register another. With the arrangement
    ``"P1.0"`` this is ``nn.Conv2d``.

    Initialisation: plain kernels :math:`\sim N(0, 2/(h w I))`; the parameters of the others are uniform in ranges
    that depend on k, the kernel's longer side and at least 3. Wavelength in [2, k + 1]; sigma and gamma in
    [k/6, k/3], but sigma of ``Lg`` in [k/6, k/4], gamma_1 and gamma_2 in [k/6, k/2]; theta in [0, pi], but in [-pi, pi]
    for ``Tf``; psi in [-pi, pi]. The bias starts as that of ``nn.Conv2d``.

    Args:
        *args: positional arguments of ``nn.Conv2d``.
        arrangement: kinds and numbers of kernels, in order, ``"G30 Lg15 Lt15 Tf36 P96"``, or their ratios. The
            default is exp3 of Table 1 in ratio form, which Sec. 4.2 and Table 4 use.
        **kwargs: keyword arguments of ``nn.Conv2d``.

    Shape:
        ``(B, C, H, W)`` to the shape ``nn.Conv2d`` returns. The parameters are ``kernels.<symbol>``, ``(N, P)``, one
        for each kind that has any.

    Raises:
        ValueError: if ``arrangement`` cannot be read or has another number of kernels than the layer, or if
            ``nn.Conv2d`` refuses its arguments.

    Deviations:
        Eq. (16) is printed with sign(cos theta), one sign for a whole kernel, where the text wants a positive and a
        negative half: the sign here is that of x'. theta gets its gradient through the exponential.
        Eq. (20) is 0 / 0 at the origin: W(0, 0) = 0. In Eqs. (19) and (23) the sum is over all of W, the origin
        included, so that the kernel sums to zero. With an even side no point is the origin: W stays as it is.
        A 1 x 1 kernel is a function's value at the origin: cos(psi) for ``G``, :math:`-1 / (\pi \sigma^4)` for ``Lg``,
        and 0 for ``Lt``, ``Tf`` and ``Ts``, which then have no gradient.
        The functions have no amplitude, so that analytic kernels start larger than plain ones: with exp3's ratios, 64
        channels and 3x3 kernels the output's deviation is 7.7 for inputs of deviation 1, that of plain kernels 1.4.
        That is left to the normalisation that follows. Parameters are not constrained; to squares of widths 1e-12 is
        added, so that a width of 0 makes no kernel infinite.
        Initial parameters are random in the paper, in ranges that are not printed: those above are our choice.
        Ratios are divided by their sum (0.9999 for exp3) and rounded by largest remainder.
        With groups, the kernels of an output channel are those of its group's input channels.
        There is no ``weight``, which ``nn.Conv2d`` has: code that initialises or decays the weights of all convolutions
        must leave this one out.

    Example:
        >>> conv = AnalyticConv2d(3, 64, kernel_size=7, stride=2, padding=3, arrangement="G30 Lg15 Lt15 Tf36 P96")
        >>> conv(torch.ones(1, 3, 32, 32)).shape
        torch.Size([1, 64, 16, 16])
        >>> round(conv.compact_factor(), 4)
        0.4726
    """

    grid: torch.Tensor

    def __init__(self, *args: Any, arrangement: str = "G0.1562 Lg0.0781 Lt0.0781 Tf0.1875 P0.5", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own: dict[str, Any] = {"device": self.weight.device, "dtype": self.weight.dtype}
        self._shape_OIhw = self.weight.shape
        del self.weight  # nothing has been written to it

        self.arrangement = Arrangement.parse(arrangement)
        self._components = self.arrangement.counts(self._shape_OIhw[:2].numel())
        self._counts_by_kind: dict[str, list[int]] = {}
        for symbol, count in self._components:
            self._counts_by_kind.setdefault(symbol, []).append(count)
        self.kernels = nn.ParameterDict()
        for symbol, counts in self._counts_by_kind.items():
            if num_parameters := self._num_parameters(symbol):
                self.kernels[symbol] = nn.Parameter(torch.empty(sum(counts), num_parameters, **own))
        self.register_buffer("grid", torch.empty(5, self._shape_OIhw[2:].numel(), **own), persistent=False)
        self.register_load_state_dict_post_hook(AnalyticConv2d._fill_grid)  # type: ignore[no-untyped-call]
        self.reset_parameters()

    @classmethod
    def from_conv2d(cls, conv: nn.Conv2d, *, arrangement: str) -> Self:
        """A layer in the place of ``conv``, with its bias and, where the arrangement has plain kernels, its kernels.

        The analytic kernels start as in any layer (Sec. 4.1, Fig. 4a).
        """
        geometry = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
        own: dict[str, Any] = {name: getattr(conv, name) for name in (*geometry, "padding_mode")}
        own |= {"bias": conv.bias is not None, "device": conv.weight.device, "dtype": conv.weight.dtype}
        layer = cls(**own, arrangement=arrangement)
        layer.copy_plain_kernels(conv.weight)
        if layer.bias is not None and conv.bias is not None:
            with torch.no_grad():
                layer.bias.copy_(conv.bias)
        return layer

    @torch.no_grad()
    def copy_plain_kernels(self, weight_OIhw: torch.Tensor) -> None:
        """Makes each plain kernel the one that stands at its place in ``weight_OIhw``; the others stay (Sec. 4.1)."""
        if PLAIN not in self.kernels:
            return
        parts = torch.split(weight_OIhw.flatten(0, 1).flatten(1), [count for _, count in self._components])
        plain = [part for part, (symbol, _) in zip(parts, self._components, strict=True) if symbol == PLAIN]
        self.kernels[PLAIN].copy_(torch.cat(plain))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        if "grid" not in self._buffers:  # nn.Conv2d asks before the layer has anything
            return
        _, num_in, height, width = self._shape_OIhw
        self._fill_grid()
        for symbol, parameters_NP in self.kernels.items():
            if symbol == PLAIN:
                nn.init.normal_(parameters_NP, std=math.sqrt(2 / (height * width * num_in)))
                continue
            ranges = kernel_functions.find(symbol).initial_ranges((height, width))
            for values_N, (low, high) in zip(parameters_NP.unbind(1), ranges, strict=True):
                nn.init.uniform_(values_N, low, high)
        if self.bias is not None:
            bound = 1 / math.sqrt(num_in * height * width)
            nn.init.uniform_(self.bias, -bound, bound)

    def _fill_grid(self, *_: Any) -> None:
        """The points at which kernels are sampled, which no state dict has."""
        height, width = self._shape_OIhw[2:]
        self.grid = Grid.of_size((height, width)).table.to(next(self.parameters(), self.grid))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name != "weight":
                raise
            raise AttributeError(
                "AnalyticConv2d has no `weight`: its parameters are `kernels`; effective_weight() computes the kernels "
                "from them, and to_conv2d() is the plain convolution that has them as its weight."
            ) from None

    def effective_weight(self) -> torch.Tensor:
        """The kernels: ``(O, I, h, w)``."""
        device_type = self.grid.device.type
        if torch.is_autocast_enabled(device_type):  # angles of many turns need their digits
            with torch.autocast(device_type, enabled=False):
                return self.effective_weight()
        in_turn: dict[str, Iterator[torch.Tensor]] = {}
        for symbol, counts in self._counts_by_kind.items():
            kernels_NK = self._kernels(symbol, sum(counts))
            in_turn[symbol] = iter([kernels_NK] if len(counts) == 1 else torch.split(kernels_NK, counts))
        return torch.cat([next(in_turn[symbol]) for symbol, _ in self._components]).view(self._shape_OIhw)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BOHW: torch.Tensor = self._conv_forward(x_BCHW, self.effective_weight(), self.bias)
        return y_BOHW

    def num_kernel_parameters(self) -> int:
        """Trainable numbers that the kernels are made of; the bias is not one of them."""
        return sum(parameters.numel() for parameters in self.kernels.values())

    def compact_factor(self) -> float:
        """Share of a plain layer's kernel parameters that this one saves, Eq. (25)."""
        return 1 - self.num_kernel_parameters() / self._shape_OIhw.numel()

    def to_conv2d(self) -> nn.Conv2d:
        """The same function as a plain convolution; the weights are copies."""
        return conv2d_like(self, self.effective_weight(), self.bias)

    def extra_repr(self) -> str:
        shown: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shown}, arrangement='{self.arrangement}'"

    def _num_parameters(self, symbol: str) -> int:
        if symbol == PLAIN:
            return self._shape_OIhw[2:].numel()
        return len(kernel_functions.find(symbol).parameters)

    def _kernels(self, symbol: str, num_kernels: int) -> torch.Tensor:
        """All kernels of one kind: ``(N, K)``."""
        parameters_NP = self.kernels[symbol] if symbol in self.kernels else self.grid.new_empty(num_kernels, 0)
        if symbol == PLAIN:
            return parameters_NP
        return kernel_functions.find(symbol)(parameters_NP, Grid(self.grid))
