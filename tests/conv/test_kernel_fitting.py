"""Known kernels are found again, and for unknown ones nothing nearer is found by scipy."""

import doctest
import math

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import nn

from convrepro.conv import fit_kernels, kernel_fitting, kernel_functions
from convrepro.conv.kernel_fitting import FittedKernel
from convrepro.conv.kernel_functions import Grid, kernel_function

# Shapes: N kernels, P parameters, h w rows and columns of a kernel.

KINDS = ["G", "Lg", "Lt", "Tf", "Ts"]
GRID = Grid.of_size((7, 7), dtype=torch.float64)


def _kernels(symbol: str, parameters_NP: torch.Tensor) -> torch.Tensor:
    return kernel_functions.find(symbol)(parameters_NP, GRID).unflatten(1, (7, 7))


def _noise(num_kernels: int, side: int = 7) -> torch.Tensor:
    return torch.randn(num_kernels, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _random_parameters(symbol: str, num_kernels: int) -> torch.Tensor:
    low, high = torch.tensor(kernel_functions.find(symbol).initial_ranges((7, 7)), dtype=torch.float64).unbind(1)
    generator = torch.Generator().manual_seed(0)
    return low + (high - low) * torch.rand(num_kernels, len(low), dtype=torch.float64, generator=generator)


def _disturbed(symbol: str, num_kernels: int) -> torch.Tensor:
    """Kernels of a kind, with noise of half their size."""
    kernels_Nhw = _kernels(symbol, _random_parameters(symbol, num_kernels))
    noise_Nhw = _noise(num_kernels)
    size_N11 = kernels_Nhw.norm(dim=(1, 2), keepdim=True) / noise_Nhw.norm(dim=(1, 2), keepdim=True)
    return kernels_Nhw + 0.5 * size_N11 * noise_Nhw


def _same_for_the_same_kernel(symbol: str, parameters: dict[str, float], scale: float) -> list[float]:
    """What identifies the kernel: equal for a width and its negative, for an angle plus a turn, and for half a turn.

    Half a turn reverses the phase of ``G`` and the sign of ``Tf``, and leaves ``Ts``; half a period of the phase
    reverses the sign of ``G``.
    """
    theta, psi = parameters.get("theta", 0.0), parameters.get("psi", 0.0)
    widths = [abs(value) for name, value in parameters.items() if name not in ("theta", "psi")]
    direction = np.array([math.cos(theta), math.sin(theta)])
    if symbol == "Tf":
        return [*widths, *(scale * direction)]
    axis = [math.cos(2 * theta), math.sin(2 * theta)]
    return [*widths, *axis, scale * math.cos(psi), *(scale * math.sin(psi) * direction)]


def _distance(fit: FittedKernel, kernel_hw: torch.Tensor) -> float:
    """Relative to the kernel."""
    height, width = kernel_hw.shape
    return ((fit.kernel((height, width)) - kernel_hw).norm() / kernel_hw.norm()).item()


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("symbol", KINDS)
def test_kernels_of_known_parameters_are_found_again(symbol: str, scaled: bool) -> None:
    parameters_NP = _random_parameters(symbol, 6)
    scales_N = [0.3, -2.0, 0.01, 1.0, -1.0, 50.0] if scaled else [1.0] * 6
    kernels_Nhw = _kernels(symbol, parameters_NP) * torch.tensor(scales_N).view(-1, 1, 1)
    fits = fit_kernels(kernels_Nhw, KINDS, scaled=scaled)
    for fit, parameters, scale in zip(fits, parameters_NP.tolist(), scales_N, strict=True):
        assert fit.symbol == symbol
        assert fit.residual < 1e-9
        known = dict(zip(kernel_functions.find(symbol).parameters, parameters, strict=True))
        ours = _same_for_the_same_kernel(symbol, fit.parameters, fit.scale)
        assert ours == pytest.approx(_same_for_the_same_kernel(symbol, known, scale), rel=1e-6)


def test_residual_is_the_relative_distance_of_the_fitted_kernel() -> None:
    kernels_Nhw = _noise(4)
    for fit, kernel_hw in zip(fit_kernels(kernels_Nhw), kernels_Nhw, strict=True):
        assert 0 < fit.residual < 1
        assert fit.residual == pytest.approx(_distance(fit, kernel_hw))


@pytest.mark.parametrize("symbol", KINDS)
def test_scipy_finds_nothing_nearer_around_a_fit(symbol: str) -> None:
    """Its minimum is ours: from there, free steps in the parameters and the scale gain less than 1e-6."""
    kernel_hw = _disturbed(symbol, 1)[0]
    (fit,) = fit_kernels(kernel_hw, [symbol])

    def error(values: np.ndarray) -> np.ndarray:
        parameters_1P = torch.from_numpy(values[1:]).unsqueeze(0)
        difference_hw = values[0] * _kernels(symbol, parameters_1P)[0] - kernel_hw
        return (difference_hw.flatten() / kernel_hw.norm()).numpy()

    theirs = optimize.least_squares(error, [fit.scale, *fit.parameters.values()], method="lm")
    assert math.sqrt(2 * theirs.cost) == pytest.approx(fit.residual, rel=1e-6)


@pytest.mark.parametrize("symbol", ["Lg", "Lt"])
def test_of_one_parameter_the_best_of_all_values_is_found(symbol: str) -> None:
    sigmas_N1 = torch.linspace(0.3, 8, 20_000, dtype=torch.float64).unsqueeze(1)
    candidates_NK = _kernels(symbol, sigmas_N1).flatten(1)
    unit_NK = candidates_NK / candidates_NK.norm(dim=1, keepdim=True)
    kernels_Nhw = _disturbed(symbol, 3)
    for fit, kernel_hw in zip(fit_kernels(kernels_Nhw, [symbol]), kernels_Nhw, strict=True):
        cosine = (unit_NK @ kernel_hw.flatten()).abs().max() / kernel_hw.norm()
        assert fit.residual < math.sqrt(1 - cosine.item() ** 2) + 1e-6


def test_the_kind_with_the_smallest_residual_is_taken() -> None:
    kernels_Nhw = _noise(3)
    each = [fit_kernels(kernels_Nhw, [symbol]) for symbol in KINDS]
    best = [min(fits, key=lambda fit: fit.residual) for fits in zip(*each, strict=True)]
    assert fit_kernels(kernels_Nhw, KINDS) == best


def test_of_equal_fits_the_one_with_the_fewest_parameters_is_taken() -> None:
    """Every kind but those that are 0 there fits a kernel of one position."""
    assert [fit.symbol for fit in fit_kernels(torch.ones(1, 1, 1), ["G", "Lt", "Lg"])] == ["Lg"]


def test_a_factor_of_the_kernel_is_one_of_the_scale() -> None:
    kernels_Nhw = _noise(2)
    for ours, smaller in zip(fit_kernels(kernels_Nhw), fit_kernels(1e-3 * kernels_Nhw), strict=True):
        assert smaller.symbol == ours.symbol
        assert smaller.residual == pytest.approx(ours.residual)
        torch.testing.assert_close(smaller.kernel((7, 7)), 1e-3 * ours.kernel((7, 7)), rtol=1e-4, atol=1e-7)


def test_a_kernel_of_zeros_has_scale_0() -> None:
    (fit,) = fit_kernels(torch.zeros(7, 7))
    assert (fit.scale, fit.residual) == (0, 0)


def test_a_function_without_parameters_has_its_scale_alone() -> None:
    """2 everywhere is 2 sqrt(15) / sqrt(15) on 3 x 5 positions, Eq. (11)."""
    (fit,) = fit_kernels(torch.full((3, 5), 2.0), ["M", "Lt"])
    assert fit.symbol == "M"
    assert fit.parameters == {}
    assert fit.scale == pytest.approx(2 * math.sqrt(15))


def test_kernels_of_a_convolution_come_in_the_order_of_a_layer() -> None:
    """k = q I + p, Sec. 3.2, from float32 weights that require gradients."""
    conv = nn.Conv2d(2, 3, 3)
    fits = fit_kernels(conv.weight)
    assert len(fits) == 6
    for number, fit in enumerate(fits):
        assert fit.residual == pytest.approx(_distance(fit, conv.weight[number // 2, number % 2].detach().double()))


def test_many_kernels_are_fitted_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels_Nhw = _kernels("Tf", _random_parameters("Tf", 5))
    at_once = fit_kernels(kernels_Nhw)
    monkeypatch.setattr(kernel_fitting, "_KERNELS_AT_ONCE", 2)
    for part, whole in zip(fit_kernels(kernels_Nhw), at_once, strict=True):
        assert part.parameters == pytest.approx(whole.parameters)


def test_fits_are_repeatable() -> None:
    assert fit_kernels(_noise(2)) == fit_kernels(_noise(2))


def test_a_function_of_ones_own_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_functions, "_REGISTRY", dict(kernel_functions._REGISTRY))

    @kernel_function("Rg", initial=lambda side: {"radius": (1.0, side / 2)})
    def ring(grid: Grid, radius: torch.Tensor) -> torch.Tensor:
        return torch.exp(-((grid.radius_squared.sqrt() - radius) ** 2))

    kernel_hw = ring(GRID, torch.tensor([[2.2]])).view(7, 7)
    (fit,) = fit_kernels(kernel_hw, [*KINDS, "Rg"])
    assert fit.symbol == "Rg"
    assert fit.parameters == pytest.approx({"radius": 2.2})


@pytest.mark.parametrize("kinds", [[], ["G", "P"]])
def test_kinds_that_cannot_be_fitted(kinds: list[str]) -> None:
    with pytest.raises(ValueError, match=r"`kinds` must name kernel functions, not plain kernels, got \["):
        fit_kernels(torch.ones(3, 3), kinds)


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="unknown kernel function 'Gb'; known: G"):
        fit_kernels(torch.ones(3, 3), ["Gb"])


@pytest.mark.parametrize("shape", [(3,), (0, 3, 3), (2, 0, 3)])
def test_weight_without_kernels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"`weight` must have the shape \(..., h, w\) and no empty axis, got \("):
        fit_kernels(torch.ones(shape))


def test_weight_that_is_not_finite() -> None:
    with pytest.raises(ValueError, match="`weight` must be finite"):
        fit_kernels(torch.tensor([[1.0, math.nan]]))


def test_docstring_example() -> None:
    failed, attempted = doctest.testmod(kernel_fitting)
    assert (failed, attempted) == (0, 2)
