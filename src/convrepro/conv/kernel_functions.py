r"""Kernel functions of the analytic layer (Cui, Tao, Tao, Liu, Cheng 2024, https://arxiv.org/abs/2407.06087, Sec. 3.4).

A kernel function gets a ``Grid`` of the K = h w points of a kernel and its parameters, each with one value per kernel,
``(N, 1)``, and returns the kernels ``(N, K)``. It is registered under a symbol, by which an arrangement names it. A
function of your own, in your own package:

    @kernel_function("Rg", initial=lambda side: {"radius": (1.0, side / 2)})
    def ring(grid: Grid, radius: torch.Tensor) -> torch.Tensor:
        return torch.exp(-((grid.radius_squared.sqrt() - radius) ** 2))

Widths and wavelengths are in pixels, angles in radians. The sign of a width plays no role, so that no constraint is
needed; to squares of widths 1e-12 is added, which keeps 0 / 0 away. What is linear in the points is written as a
product of matrices: that takes the fewest operations, above all backwards, and their number is what small layers cost.
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F

# Shapes: N kernels of one kind, P parameters of a kernel, K = h w points of a kernel.

PLAIN = "P"  # Eq. (4): a kernel's parameters are its values; layers treat it themselves
SYMBOL = "[A-Z][a-z]*"

_SIGN_THRESHOLD = 1e-4  # delta of Eq. (16)

InitialRanges = Callable[[int], Mapping[str, tuple[float, float]]]


@dataclass(frozen=True)
class Grid:
    """Points at which kernels are sampled, row by row, Eq. (3).

    Attributes:
        table: x, y, 1, x^2 + y^2 and I_{x=y=0} of all points, ``(5, K)``.
    """

    table: torch.Tensor

    @classmethod
    def of_size(
        cls, kernel_size: tuple[int, int], device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """x = i - (h + 1) / 2 for i = 1 .. h down the rows, y = j - (w + 1) / 2 for j = 1 .. w along the columns."""
        x_h, y_w = (
            torch.arange(side, device=device, dtype=dtype or torch.get_default_dtype()) - (side - 1) / 2
            for side in kernel_size
        )
        x_hw, y_hw = torch.meshgrid(x_h, y_w, indexing="ij")
        radius_squared_hw = x_hw.square() + y_hw.square()
        origin_hw = (radius_squared_hw == 0).to(x_hw.dtype)
        rows = [x_hw, y_hw, torch.ones_like(x_hw), radius_squared_hw, origin_hw]
        return cls(torch.stack(rows).flatten(1))

    @property
    def x(self) -> torch.Tensor:
        """``(1, K)``, as all rows of the table."""
        return self.table[0:1]

    @property
    def y(self) -> torch.Tensor:
        return self.table[1:2]

    @property
    def radius_squared(self) -> torch.Tensor:
        """x^2 + y^2, which a rotation keeps."""
        return self.table[3:4]

    @property
    def origin(self) -> torch.Tensor:
        """I_{x=y=0} of Eqs. (19) and (23); no point of a grid with an even side is the origin."""
        return self.table[4:5]

    def plane(self, *coefficients_N1: torch.Tensor) -> torch.Tensor:
        """a x + b y, or a x + b y + c: ``(N, K)``."""
        return torch.cat(coefficients_N1, dim=1) @ self.table[: len(coefficients_N1)]

    def rotated_x(self, theta_N1: torch.Tensor) -> torch.Tensor:
        """x' of Eqs. (13), (17) and (21)."""
        return self.plane(theta_N1.cos(), theta_N1.sin())


@dataclass(frozen=True, kw_only=True)
class KernelFunction:
    """A kernel function under its symbol.

    Attributes:
        symbol: a capital letter, then lower-case letters.
        initial: from the kernel's longer side to the range of each parameter's uniform initial values. The keys are
            the function's arguments after the grid.
        function: from the grid and the parameters to the kernels.
    """

    symbol: str
    initial: InitialRanges
    function: Callable[..., torch.Tensor]

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(self.initial(3))  # whatever the side

    def initial_ranges(self, kernel_size: tuple[int, int]) -> list[tuple[float, float]]:
        """Lowest and highest initial value of each parameter; the least side that counts is 3."""
        return list(self.initial(max(*kernel_size, 3)).values())

    def __call__(self, parameters_NP: torch.Tensor, grid: Grid) -> torch.Tensor:
        """The kernels ``(N, K)``."""
        kernels = self.function(grid, *parameters_NP.unsqueeze(2).unbind(1))
        return kernels if self.parameters else kernels.expand(len(parameters_NP), -1)


_REGISTRY: dict[str, KernelFunction] = {}


def kernel_function(
    symbol: str, *, initial: InitialRanges
) -> Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]:
    """Registers the decorated kernel function under a symbol.

    Raises:
        ValueError: if the symbol is taken or malformed, or if ``initial`` does not name the function's arguments.
    """
    if not re.fullmatch(SYMBOL, symbol):
        raise ValueError(
            f"a kernel's symbol is a capital letter, then lower-case letters, such as 'Lg', got {symbol!r}."
        )
    if symbol in symbols():
        raise ValueError(f"the kernel symbol {symbol!r} is taken; those in use: {', '.join(symbols())}.")

    def register(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        _, *arguments = inspect.signature(function).parameters
        if arguments != list(initial(3)):
            raise ValueError(
                f"`initial` of kernel {symbol!r} must name the arguments of {function.__name__} after the grid, "
                f"{arguments}, in their order, got {list(initial(3))}."
            )
        _REGISTRY[symbol] = KernelFunction(symbol=symbol, initial=initial, function=function)
        return function

    return register


def symbols() -> list[str]:
    """All kinds of kernels, the plain ones included."""
    return [*_REGISTRY, PLAIN]


def find(symbol: str) -> KernelFunction:
    """The kernel function of a symbol; plain kernels have none.

    Raises:
        ValueError: if there is none.
    """
    if symbol not in _REGISTRY:
        raise ValueError(f"unknown kernel function {symbol!r}; known: {', '.join(_REGISTRY)}.")
    return _REGISTRY[symbol]


@kernel_function(
    "G",
    initial=lambda side: {
        "wavelength": (2.0, side + 1.0),  # from the shortest that the grid resolves to a period across the kernel
        "theta": (0.0, math.pi),  # the other half turn is the same kernels with the phase reversed
        "psi": (-math.pi, math.pi),
        "sigma": (side / 6, side / 3),
    },
)
def gabor(
    grid: Grid, wavelength: torch.Tensor, theta: torch.Tensor, psi: torch.Tensor, sigma: torch.Tensor
) -> torch.Tensor:
    r""":math:`e^{-(x'^2 + y'^2) / 2 \sigma^2} \cos(2 \pi x' / \lambda + \psi)`, Eqs. (12) to (14) with gamma = 1."""
    frequency = 2 * math.pi * wavelength.reciprocal()
    angle = grid.plane(frequency * theta.cos(), frequency * theta.sin(), psi)
    envelope = torch.exp(_inverse_square(sigma) @ (-0.5 * grid.radius_squared))
    return envelope * torch.cos(angle)


@kernel_function("Lg", initial=lambda side: {"sigma": (side / 6, side / 4)})
def laplacian_of_gaussian(grid: Grid, sigma: torch.Tensor) -> torch.Tensor:
    r""":math:`-\frac{1}{\pi \sigma^4} [1 - \frac{x^2 + y^2}{2 \sigma^2}] e^{-(x^2 + y^2) / 2 \sigma^2}`, Eq. (15)."""
    precision = _inverse_square(sigma)
    exponent = precision @ (-0.5 * grid.radius_squared)
    return (1 + exponent) * torch.exp(exponent) * (precision * precision * (-1 / math.pi))


@kernel_function("Lt", initial=lambda side: {"sigma": (side / 6, side / 3)})
def laplacian_of_tgd(grid: Grid, sigma: torch.Tensor) -> torch.Tensor:
    r""":math:`W - \operatorname{sum}(W) I_{x=y=0}` with :math:`W = e^{-(x^2 + y^2) / \sigma^2}`, Eqs. (23) and (24)."""
    return _balanced(torch.exp(_inverse_square(sigma) @ -grid.radius_squared), grid)


@kernel_function(
    "Tf",
    initial=lambda side: {
        "theta": (-math.pi, math.pi),
        "gamma_1": (side / 6, side / 2),
        "gamma_2": (side / 6, side / 2),
    },
)
def first_order_tgd(grid: Grid, theta: torch.Tensor, gamma_1: torch.Tensor, gamma_2: torch.Tensor) -> torch.Tensor:
    r""":math:`e^{-x'^2 / \gamma_1^2 - y'^2 / \gamma_2^2} \operatorname{sign}(x') I_{|x'| > \delta}`, Eq. (16).

    As printed, the sign is that of :math:`\cos \theta`, one for the whole kernel; the text wants a positive and a
    negative half. Neither sign nor indicator has a gradient.
    """
    x = grid.rotated_x(theta)
    by_x, by_y = _inverse_square(gamma_1), _inverse_square(gamma_2)
    envelope = torch.exp((by_y - by_x) * (x * x) + by_y @ -grid.radius_squared)  # y'^2 = x^2 + y^2 - x'^2
    return envelope * F.hardshrink(x.detach(), _SIGN_THRESHOLD).sign()  # hardshrink is 0 unless |x'| > delta


@kernel_function("Ts", initial=lambda side: {"theta": (0.0, math.pi), "gamma": (side / 6, side / 3)})
def second_order_tgd(grid: Grid, theta: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    r""":math:`W - \operatorname{sum}(W) I_{x=y=0}`, Eqs. (19) to (22).

    :math:`W = e^{-(x'^2 + y'^2) / \gamma^2} |x' / (x'^2 + y'^2)|`, and 0 at the origin, where that is 0 / 0.
    """
    envelope = torch.exp(_inverse_square(gamma) @ -grid.radius_squared)
    nearness = 1 / (grid.radius_squared + grid.origin)
    return _balanced(envelope * grid.rotated_x(theta).abs() * nearness, grid)


@kernel_function("M", initial=lambda side: {})
def mean(grid: Grid) -> torch.Tensor:
    r""":math:`1 / \sqrt{h w}` everywhere, Eq. (11)."""
    return torch.full_like(grid.x, 1 / math.sqrt(grid.x.numel()))


def _inverse_square(width_N1: torch.Tensor) -> torch.Tensor:
    return (width_N1 * width_N1 + 1e-12).reciprocal()


def _balanced(kernels_NK: torch.Tensor, grid: Grid) -> torch.Tensor:
    """The kernels with their sum taken off at the origin."""
    return torch.addcmul(kernels_NK, kernels_NK.sum(dim=1, keepdim=True), grid.origin, value=-1)
