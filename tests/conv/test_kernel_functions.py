"""Against each equation, written out number by number, and against scipy's and scikit-image's own."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.filters import gabor_kernel

from convrepro.conv import AnalyticConv2d, kernel_functions
from convrepro.conv.kernel_functions import Grid, kernel_function

# Shapes: N kernels, P parameters, h w rows and columns of a kernel.

WITH_PARAMETERS = ["G", "Lg", "Lt", "Tf", "Ts"]
WIDTHS = ("sigma", "gamma")  # beginnings of their names
SIZES = [(7, 7), (5, 3), (4, 6), (1, 1)]


def _grid(kernel_size: tuple[int, int]) -> Grid:
    return Grid.of_size(kernel_size, dtype=torch.float64)


def _parameters(symbol: str, num_kernels: int = 5, kernel_size: tuple[int, int] = (7, 7)) -> torch.Tensor:
    ranges = torch.tensor(kernel_functions.find(symbol).initial_ranges(kernel_size), dtype=torch.float64)
    unit_NP = torch.rand(num_kernels, len(ranges), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return ranges[:, 0] + (ranges[:, 1] - ranges[:, 0]) * unit_NP


def _kernels(symbol: str, parameters_NP: torch.Tensor, kernel_size: tuple[int, int] = (7, 7)) -> torch.Tensor:
    return kernel_functions.find(symbol)(parameters_NP, _grid(kernel_size)).unflatten(1, kernel_size)


def _gabor(x: float, y: float, wavelength: float, theta: float, psi: float, sigma: float) -> float:
    x_, y_ = _rotated(x, y, theta)
    gamma = 1
    envelope = math.exp(-(x_**2 + gamma**2 * y_**2) / (2 * sigma**2))  # Eq. (12)
    return envelope * math.cos(2 * math.pi * x_ / wavelength + psi)


def _laplacian_of_gaussian(x: float, y: float, sigma: float) -> float:
    exponent = (x**2 + y**2) / (2 * sigma**2)
    return -1 / (math.pi * sigma**4) * (1 - exponent) * math.exp(-exponent)  # Eq. (15)


def _laplacian_of_tgd(x: float, y: float, sigma: float) -> float:
    return math.exp(-(x**2 + y**2) / sigma**2)  # Eq. (24)


def _first_order_tgd(x: float, y: float, theta: float, gamma_1: float, gamma_2: float) -> float:
    x_, y_ = _rotated(x, y, theta)
    sign = math.copysign(1, x_) if abs(x_) > 1e-4 else 0  # Eq. (16), with sign(x') for sign(cos theta)
    return math.exp(-(x_**2) / gamma_1**2 - y_**2 / gamma_2**2) * sign


def _second_order_tgd(x: float, y: float, theta: float, gamma: float) -> float:
    x_, y_ = _rotated(x, y, theta)
    if x == y == 0:
        return 0
    return math.exp(-(x_**2 + y_**2) / gamma**2) * abs(x_ / (x_**2 + y_**2))  # Eq. (20)


def _rotated(x: float, y: float, theta: float) -> tuple[float, float]:
    x_ = x * math.cos(theta) + y * math.sin(theta)  # Eq. (13)
    y_ = -x * math.sin(theta) + y * math.cos(theta)  # Eq. (14)
    return x_, y_


LITERAL: dict[str, tuple[Callable[..., float], bool]] = {  # and whether the sum is taken off at the origin
    "G": (_gabor, False),
    "Lg": (_laplacian_of_gaussian, False),
    "Lt": (_laplacian_of_tgd, True),
    "Tf": (_first_order_tgd, False),
    "Ts": (_second_order_tgd, True),
}


def _literal(symbol: str, parameters: list[float], height: int, width: int) -> list[list[float]]:
    function, is_balanced = LITERAL[symbol]
    points = [
        [(i - (height + 1) / 2, j - (width + 1) / 2) for j in range(1, width + 1)]  # Eq. (3)
        for i in range(1, height + 1)
    ]
    kernel = [[function(x, y, *parameters) for x, y in row] for row in points]
    if is_balanced:
        total = sum(sum(row) for row in kernel)
        for row, row_of_points in enumerate(points):
            for column, point in enumerate(row_of_points):
                if point == (0, 0):
                    kernel[row][column] -= total  # Eqs. (19) and (23)
    return kernel


@pytest.mark.parametrize("kernel_size", SIZES, ids=str)
@pytest.mark.parametrize("symbol", WITH_PARAMETERS)
def test_is_the_equation(symbol: str, kernel_size: tuple[int, int]) -> None:
    parameters_NP = _parameters(symbol, kernel_size=kernel_size)
    expected = [_literal(symbol, parameters, *kernel_size) for parameters in parameters_NP.tolist()]
    torch.testing.assert_close(
        _kernels(symbol, parameters_NP, kernel_size), torch.tensor(expected, dtype=torch.float64)
    )


def test_mean_is_one_over_the_root_of_its_size() -> None:
    """Eq. (11)."""
    kernels_Nhw = _kernels("M", torch.empty(2, 0, dtype=torch.float64), (3, 5))
    assert kernels_Nhw.tolist() == [[[1 / math.sqrt(15)] * 5] * 3] * 2


def test_rows_are_x() -> None:
    """Eq. (3): x = i' counts rows. At theta = 0 the first-order TGD changes its sign from row to row."""
    kernel_hw = _kernels("Tf", torch.tensor([[0.0, 2.0, 2.0]], dtype=torch.float64), (3, 3))[0]
    assert kernel_hw.sign().tolist() == [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]


def test_gabor_is_that_of_scikit_image() -> None:
    """Its rows are y, ours are x; it divides by 2 pi sigma^2."""
    for wavelength, theta, psi, sigma in _parameters("G").tolist():
        theirs = gabor_kernel(1 / wavelength, theta, 1, sigma, sigma, n_stds=12, offset=psi)
        centre_row, centre_column = (side // 2 for side in theirs.shape)
        window = theirs[centre_row - 3 : centre_row + 4, centre_column - 3 : centre_column + 4]
        expected = torch.from_numpy(2 * math.pi * sigma**2 * window.real.T.copy())
        ours = _kernels("G", torch.tensor([[wavelength, theta, psi, sigma]], dtype=torch.float64))[0]
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0])
def test_laplacian_of_gaussian_is_that_of_scipy(sigma: float) -> None:
    """Theirs is a discrete convolution: equal to 1e-6 of the peak from sigma = 1 on."""
    impulse = np.zeros((61, 61))
    impulse[30, 30] = 1
    theirs = ndimage.gaussian_laplace(impulse, sigma, truncate=8)[27:34, 27:34]
    ours_hw = _kernels("Lg", torch.tensor([[sigma]], dtype=torch.float64))[0]
    torch.testing.assert_close(ours_hw, torch.from_numpy(theirs), rtol=0, atol=1e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("symbol", ["Lt", "Ts"])
def test_laplacian_and_second_order_tgd_sum_to_zero(symbol: str) -> None:
    sums_N = _kernels(symbol, _parameters(symbol), (7, 5)).sum(dim=(1, 2))
    torch.testing.assert_close(sums_N, torch.zeros_like(sums_N), rtol=0, atol=1e-13)  # of values up to 16


@pytest.mark.parametrize("symbol", ["Lt", "Ts"])
def test_with_an_even_side_there_is_no_origin_to_take_the_sum_off(symbol: str) -> None:
    assert (_kernels(symbol, _parameters(symbol), (4, 5)) >= 0).all()


@pytest.mark.parametrize(("symbol", "sign"), [("Lg", 1), ("Lt", 1), ("Tf", -1), ("Ts", 1)])
@pytest.mark.parametrize("kernel_size", [(7, 7), (4, 4)], ids=str)
def test_half_a_turn_keeps_or_reverses(symbol: str, sign: int, kernel_size: tuple[int, int]) -> None:
    """The first-order TGD is odd, the Laplacians and the second-order TGD are even."""
    kernels_Nhw = _kernels(symbol, _parameters(symbol), kernel_size)
    torch.testing.assert_close(kernels_Nhw.rot90(2, dims=(1, 2)), sign * kernels_Nhw)


@pytest.mark.parametrize("symbol", ["G", "Tf", "Ts"])
def test_a_quarter_turn_of_theta_turns_the_kernel(symbol: str) -> None:
    parameters_NP = _parameters(symbol)
    turned_NP = parameters_NP.clone()
    turned_NP[:, kernel_functions.find(symbol).parameters.index("theta")] += math.pi / 2
    torch.testing.assert_close(
        _kernels(symbol, turned_NP), _kernels(symbol, parameters_NP).rot90(1, dims=(1, 2)), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("symbol", WITH_PARAMETERS)
def test_gradients(symbol: str) -> None:
    """theta of the first-order TGD has one through the exponential alone: the sign is constant around it."""
    parameters_NP = _parameters(symbol, num_kernels=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: _kernels(symbol, p, (5, 4)), parameters_NP)


@pytest.mark.parametrize("symbol", WITH_PARAMETERS)
def test_negative_widths_are_as_good_as_positive_ones(symbol: str) -> None:
    parameters_NP = _parameters(symbol)
    names = kernel_functions.find(symbol).parameters
    sign_P = torch.tensor([-1 if name.startswith(WIDTHS) else 1 for name in names])
    torch.testing.assert_close(_kernels(symbol, parameters_NP * sign_P), _kernels(symbol, parameters_NP))


@pytest.mark.parametrize("kernel_size", [(3, 3), (4, 4), (1, 1)], ids=str)
@pytest.mark.parametrize("symbol", WITH_PARAMETERS)
def test_widths_of_zero_give_finite_kernels_and_gradients(symbol: str, kernel_size: tuple[int, int]) -> None:
    function = kernel_functions.find(symbol)
    values = [0.0 if name.startswith(WIDTHS) else 1.0 for name in function.parameters]
    parameters_NP = torch.tensor([values], requires_grad=True)
    kernels_NK = function(parameters_NP, Grid.of_size(kernel_size))
    (gradient_NP,) = torch.autograd.grad(kernels_NK.sum(), parameters_NP)
    assert kernels_NK.isfinite().all()
    assert gradient_NP.isfinite().all()


@pytest.mark.parametrize("side", [3, 5, 7, 9, 11])
@pytest.mark.parametrize("symbol", WITH_PARAMETERS)
def test_initial_kernels_differ_from_each_other_and_from_zero(symbol: str, side: int) -> None:
    """Neither vanishing nor singular: the largest value lies between 0.001 and 100; no two are proportional."""
    kernels_NK = _kernels(symbol, _parameters(symbol, 8, (side, side)), (side, side)).flatten(1)
    largest_N = kernels_NK.abs().amax(dim=1)
    assert ((largest_N > 0.001) & (largest_N < 100)).all()
    unit_NK = kernels_NK / kernels_NK.norm(dim=1, keepdim=True)
    cosines_NN = (unit_NK @ unit_NK.T).abs() - torch.eye(8)
    assert cosines_NN.max() < 1 - 1e-6


def test_kernels_of_1_x_1_start_like_those_of_3_x_3() -> None:
    laplacian = kernel_functions.find("Lg")
    assert laplacian.initial_ranges((1, 1)) == laplacian.initial_ranges((3, 3)) == [(0.5, 0.75)]


def test_the_longer_side_decides_the_ranges() -> None:
    assert kernel_functions.find("Lt").initial_ranges((3, 12)) == [(2.0, 4.0)]


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(kernel_functions, "_REGISTRY", dict(kernel_functions._REGISTRY))


@pytest.mark.usefixtures("own_registry")
def test_a_function_of_ones_own_is_one_decorator_away() -> None:
    """The example of the module's docstring, in a layer: it learns."""

    @kernel_function("Rg", initial=lambda side: {"radius": (1.0, side / 2)})
    def ring(grid: Grid, radius: torch.Tensor) -> torch.Tensor:
        return torch.exp(-((grid.radius_squared.sqrt() - radius) ** 2))

    conv = AnalyticConv2d(1, 2, 5, arrangement="Rg2", bias=False)
    conv(torch.randn(1, 1, 5, 5)).sum().backward()
    assert conv.kernels["Rg"].shape == (2, 1)
    assert conv.kernels["Rg"].grad is not None
    radius = conv.kernels["Rg"][1].item()
    assert conv.effective_weight()[1, 0, 2, 3].item() == pytest.approx(math.exp(-((1 - radius) ** 2)))


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("symbol", ["G", "P"])
def test_symbol_taken(symbol: str) -> None:
    with pytest.raises(ValueError, match=rf"the kernel symbol '{symbol}' is taken; those in use: G, Lg, .*, P"):
        kernel_function(symbol, initial=lambda side: {})


@pytest.mark.parametrize("symbol", ["", "g", "GB", "G1", "G ", "Gä", "kernels"])
def test_symbol_malformed(symbol: str) -> None:
    with pytest.raises(ValueError, match=rf"a capital letter, then lower-case letters, such as 'Lg', got '{symbol}'"):
        kernel_function(symbol, initial=lambda side: {})


def test_initial_ranges_that_are_not_the_functions_arguments() -> None:
    with pytest.raises(ValueError, match=r"`initial` of kernel 'Rg' must name .* of ring .*\['radius'\].*\['sigma'\]"):

        @kernel_function("Rg", initial=lambda side: {"sigma": (0.0, 1.0)})
        def ring(grid: Grid, radius: torch.Tensor) -> torch.Tensor:
            return radius


def test_unknown_symbol() -> None:
    with pytest.raises(ValueError, match="unknown kernel function 'Gb'; known: G, Lg, Lt, Tf, Ts, M"):
        kernel_functions.find("Gb")
