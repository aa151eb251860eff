"""Analytic kernels fitted to given ones (Cui et al. 2024, https://arxiv.org/abs/2407.06087, Sec. 3.5)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch

from convrepro.conv import kernel_functions
from convrepro.conv.kernel_functions import Grid, KernelFunction

# Shapes: N kernels, S starts of each, B = N S fits, D entries of the dictionary, K = h w positions, P parameters.

_KERNELS_AT_ONCE = 256  # keeps memory to some 100 MB
_NUM_POINTS = 4096
_NUM_STARTS = 8  # of the nearest entries, and as many of entries that are near but less alike than this cosine:
_LIKENESS = 0.8
_NUM_STEPS = 40
_TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True, kw_only=True)
class FittedKernel:
    """The analytic kernel nearest to a given one.

    Attributes:
        symbol: its kind.
        parameters: of its kernel function, by name.
        scale: factor of the kernel function.
        residual: norm of the difference over the norm of the given kernel.
    """

    symbol: str
    parameters: dict[str, float]
    scale: float
    residual: float

    def kernel(self, kernel_size: tuple[int, int]) -> torch.Tensor:
        """The fitted kernel on a grid: ``(h, w)`` in float64."""
        parameters_1P = torch.tensor([list(self.parameters.values())], dtype=torch.float64)
        grid = Grid.of_size(kernel_size, dtype=torch.float64)
        return self.scale * kernel_functions.find(self.symbol)(parameters_1P, grid).view(kernel_size)


class _Fits(NamedTuple):
    """Each kernel's best fit by one kind."""

    function: KernelFunction
    parameters_NP: torch.Tensor
    scale_N: torch.Tensor
    residual_N: torch.Tensor

    def of_kernel(self, index: int) -> FittedKernel:
        return FittedKernel(
            symbol=self.function.symbol,
            parameters=dict(zip(self.function.parameters, self.parameters_NP[index].tolist(), strict=True)),
            scale=self.scale_N[index].item(),
            residual=self.residual_N[index].item(),
        )


@torch.no_grad()
def fit_kernels(
    weight: torch.Tensor, kinds: Sequence[str] = ("G", "Lg", "Lt", "Tf", "Ts"), *, scaled: bool = True
) -> list[FittedKernel]:
    r"""For each kernel the kind, and its parameters, with the smallest :math:`|w - a f(\phi)|`.

    Deterministic: of 4096 Sobol points in the ranges of initial parameters and 4096 in ranges that reach three times as
    far, the eight nearest to a kernel, and the eight nearest that are unlike each other, are refined by 40 steps of
    Levenberg and Marquardt in float64, all kernels at once. The scale a is the best one at every step (variable
    projection). Parameters may leave the ranges, and several may give the same kernel: an angle plus a turn, a negative
    width. A kernel that a kind has made is found again; for one that is unlike all kinds, a nearer fit may exist.

    Args:
        weight: kernels ``(..., h, w)``, such as the weight ``(O, I, h, w)`` of a convolution.
        kinds: symbols of kernel functions that may be taken; where residuals are equal to nine digits, the one with
            the fewest parameters is.
        scaled: whether there is a scale; otherwise it is 1.

    Returns:
        The fits in the order of the kernels, that is, k = q I + p for a convolution. A kernel of zeros has scale 0.

    Raises:
        ValueError: if ``weight`` has no kernels or is not finite, or if ``kinds`` is empty, has plain kernels or an
            unknown symbol.

    Deviations:
        The paper does not say how it fits. Pretrained kernels have an amplitude, which the printed functions lack: the
        scale is one number more than the paper counts.

    Example:
        >>> conv = torch.nn.Conv2d(1, 2, 5)
        >>> [round(fit.scale, 6) for fit in fit_kernels(torch.full_like(conv.weight, 0.5), kinds=("M",))]
        [2.5, 2.5]
    """
    if weight.dim() < 2 or not weight.numel():
        raise ValueError(f"`weight` must have the shape (..., h, w) and no empty axis, got {tuple(weight.shape)}.")
    if not weight.isfinite().all():
        raise ValueError("`weight` must be finite.")
    if not kinds or kernel_functions.PLAIN in kinds:
        raise ValueError(f"`kinds` must name kernel functions, not plain kernels, got {list(kinds)}.")
    kernel_size = cast(tuple[int, int], tuple(weight.shape[-2:]))
    weight_NK = weight.detach().to("cpu", torch.float64).reshape(-1, math.prod(kernel_size))
    functions = sorted(map(kernel_functions.find, kinds), key=lambda function: len(function.parameters))
    fitted: list[FittedKernel] = []
    for part_NK in torch.split(weight_NK, _KERNELS_AT_ONCE):
        fits = [_fit(function, part_NK, kernel_size, scaled=scaled) for function in functions]
        best_N = torch.stack([fit.residual_N for fit in fits]).round(decimals=9).argmin(dim=0)
        fitted += [fits[best].of_kernel(index) for index, best in enumerate(best_N.tolist())]
    return fitted


def _fit(function: KernelFunction, weight_NK: torch.Tensor, kernel_size: tuple[int, int], *, scaled: bool) -> _Fits:
    grid = Grid.of_size(kernel_size, dtype=torch.float64)
    starts_NSP = _starts(function, weight_NK, kernel_size, grid, scaled=scaled)
    num_kernels, num_starts, num_parameters = starts_NSP.shape
    weight_BK = weight_NK.repeat_interleave(num_starts, dim=0)
    parameters_BP = starts_NSP.flatten(0, 1)
    if num_parameters:
        parameters_BP = _refine(function, parameters_BP, weight_BK, grid, scaled=scaled)
    kernels_BK = function(parameters_BP, grid)
    scale_B1 = _best_scale(kernels_BK, weight_BK, scaled=scaled)
    error_NS = (weight_BK - scale_B1 * kernels_BK).norm(dim=1).view(num_kernels, num_starts)
    error_N, best_N = error_NS.min(dim=1)
    chosen_N = torch.arange(num_kernels) * num_starts + best_N
    residual_N = error_N / weight_NK.norm(dim=1).clamp_min(_TINY)
    return _Fits(function, parameters_BP[chosen_N], scale_B1[chosen_N, 0], residual_N)


def _starts(
    function: KernelFunction, weight_NK: torch.Tensor, kernel_size: tuple[int, int], grid: Grid, *, scaled: bool
) -> torch.Tensor:
    """The entries of a dictionary that are nearest to each kernel, and the nearest unlike each other: ``(N, S, P)``."""
    ranges = function.initial_ranges(kernel_size)
    if not ranges:
        return torch.empty(len(weight_NK), 1, 0, dtype=torch.float64)
    low_P, high_P = torch.tensor(ranges, dtype=torch.float64).unbind(1)
    sobol = torch.quasirandom.SobolEngine(len(ranges))  # type: ignore[no-untyped-call]
    unit_DP = sobol.draw(_NUM_POINTS, dtype=torch.float64)
    span_DP = (high_P - low_P) * unit_DP
    entries_DP = low_P + torch.cat([span_DP, 3 * span_DP])
    kernels_DK = function(entries_DP, grid)
    squares_D = kernels_DK.square().sum(dim=1).clamp_min(_TINY)
    unit_DK = kernels_DK / squares_D.sqrt().unsqueeze(1)
    overlap_ND = weight_NK @ kernels_DK.T
    gain_ND = overlap_ND.square() / squares_D if scaled else 2 * overlap_ND - squares_D  # |w|^2 - |w - a f|^2
    chosen_NS = gain_ND.topk(_NUM_STARTS, dim=1).indices
    for _ in range(_NUM_STARTS):
        next_N1 = gain_ND.argmax(dim=1, keepdim=True)
        chosen_NS = torch.cat([chosen_NS, next_N1], dim=1)
        cosine_ND = unit_DK[next_N1.squeeze(1)] @ unit_DK.T
        gain_ND = gain_ND.masked_fill(cosine_ND.abs() > _LIKENESS, -math.inf)
    return entries_DP[chosen_NS]


def _refine(
    function: KernelFunction, parameters_BP: torch.Tensor, weight_BK: torch.Tensor, grid: Grid, *, scaled: bool
) -> torch.Tensor:
    """Levenberg-Marquardt steps; those that would not lower a fit's error are not taken."""
    error_BK, jacobian_BKP = _error(function, parameters_BP, weight_BK, grid, scaled=scaled)
    damping_B = torch.full_like(weight_BK[:, 0], 1e-2)
    for _ in range(_NUM_STEPS):
        step_BP = _step(error_BK, jacobian_BKP, damping_B)
        tried_BK, tried_jacobian_BKP = _error(function, parameters_BP + step_BP, weight_BK, grid, scaled=scaled)
        better_B = tried_BK.square().sum(dim=1) < error_BK.square().sum(dim=1)
        better_B1 = better_B.unsqueeze(1)
        parameters_BP = torch.where(better_B1, parameters_BP + step_BP, parameters_BP)
        error_BK = torch.where(better_B1, tried_BK, error_BK)
        jacobian_BKP = torch.where(better_B1.unsqueeze(2), tried_jacobian_BKP, jacobian_BKP)
        damping_B = torch.where(better_B, damping_B / 4, damping_B * 4).clamp(1e-12, 1e6)
    return parameters_BP


def _step(error_BK: torch.Tensor, jacobian_BKP: torch.Tensor, damping_B: torch.Tensor) -> torch.Tensor:
    normal_BPP = jacobian_BKP.mT @ jacobian_BKP
    diagonal_BP = normal_BPP.diagonal(dim1=1, dim2=2)
    damped_BP = damping_B.unsqueeze(1) * (diagonal_BP + 1e-6 * diagonal_BP.sum(dim=1, keepdim=True))
    descent_BP1 = -jacobian_BKP.mT @ error_BK.unsqueeze(2)
    # Where a parameter plays no role at all, the solution is not finite, and the step is not taken.
    step_BP1: torch.Tensor = torch.linalg.solve_ex(normal_BPP + damped_BP.diag_embed(), descent_BP1).result
    return step_BP1.squeeze(2)


def _error(
    function: KernelFunction, parameters_BP: torch.Tensor, weight_BK: torch.Tensor, grid: Grid, *, scaled: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """w - a f, and its derivatives by the parameters; the scale has its best value before and after a step."""
    kernels_BK, jacobian_BKP = _kernels_and_jacobian(function, parameters_BP, grid)
    scale_B1 = _best_scale(kernels_BK, weight_BK, scaled=scaled)
    if scaled:  # what a parameter changes along the kernel itself, the scale undoes (Kaufman 1975)
        unit_BK = kernels_BK / kernels_BK.norm(dim=1, keepdim=True).clamp_min(_TINY)
        jacobian_BKP = jacobian_BKP - unit_BK.unsqueeze(2) * (unit_BK.unsqueeze(1) @ jacobian_BKP)
    return weight_BK - scale_B1 * kernels_BK, -scale_B1.unsqueeze(2) * jacobian_BKP


@torch.enable_grad()
def _kernels_and_jacobian(
    function: KernelFunction, parameters_BP: torch.Tensor, grid: Grid
) -> tuple[torch.Tensor, torch.Tensor]:
    """The kernels ``(B, K)`` and their derivatives ``(B, K, P)``.

    A parameter's gradient is linear in the kernel's, and its derivative by that is the kernel's derivative by the
    parameter: P passes for all kernels at once.
    """
    parameters_BP = parameters_BP.detach().requires_grad_()
    kernels_BK = function(parameters_BP, grid)
    cotangent_BK = torch.zeros_like(kernels_BK, requires_grad=True)
    (gradient_BP,) = torch.autograd.grad(kernels_BK, parameters_BP, cotangent_BK, create_graph=True)
    columns_P = [torch.autograd.grad(total, cotangent_BK, retain_graph=True)[0] for total in gradient_BP.sum(dim=0)]
    return kernels_BK.detach(), torch.stack(columns_P, dim=2)


def _best_scale(kernels_BK: torch.Tensor, weight_BK: torch.Tensor, *, scaled: bool) -> torch.Tensor:
    """The factor of each kernel that brings it nearest to its target, or 1: ``(B, 1)``."""
    if not scaled:
        return torch.ones_like(weight_BK[:, :1])
    overlap_B1 = (kernels_BK * weight_BK).sum(dim=1, keepdim=True)
    return overlap_B1 / kernels_BK.square().sum(dim=1, keepdim=True).clamp_min(_TINY)
