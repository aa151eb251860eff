"""Against scipy's one-dimensional filters, which continue the image in the same four ways."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from convrepro.conv.smoothing import gaussian_taps, smooth, smoothing_layers
from convrepro.models import num_macs

SCIPY_MODES = {"zeros": "constant", "reflect": "mirror", "replicate": "nearest", "circular": "wrap"}


def _random(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def _by_scipy(x_NCHW: torch.Tensor, rows_CK: torch.Tensor, columns_CK: torch.Tensor, mode: str) -> torch.Tensor:
    y_NCHW = np.empty_like(x_NCHW.numpy())
    for n, image_CHW in enumerate(x_NCHW.numpy()):
        for c, image_HW in enumerate(image_CHW):
            along_x_HW = ndimage.correlate1d(image_HW, rows_CK[c].numpy(), axis=1, mode=SCIPY_MODES[mode])
            y_NCHW[n, c] = ndimage.correlate1d(along_x_HW, columns_CK[c].numpy(), axis=0, mode=SCIPY_MODES[mode])
    return torch.from_numpy(y_NCHW)


@pytest.mark.parametrize("padding_mode", SCIPY_MODES)
@pytest.mark.parametrize("num_taps", [1, 3, 9])
def test_is_scipys_correlation_along_each_axis(num_taps: int, padding_mode: str) -> None:
    x_NCHW, rows_CK, columns_CK = _random(2, 3, 7, 8), _random(3, num_taps), _random(4, num_taps)[:3]
    ours = smooth(x_NCHW, rows_CK, columns_CK, padding_mode=padding_mode)
    torch.testing.assert_close(ours, _by_scipy(x_NCHW, rows_CK, columns_CK, padding_mode))


def test_rows_and_columns_may_differ_in_length() -> None:
    x_NCHW, rows_CK, columns_CK = _random(1, 2, 7, 8), _random(2, 5), _random(2, 3)
    torch.testing.assert_close(smooth(x_NCHW, rows_CK, columns_CK), _by_scipy(x_NCHW, rows_CK, columns_CK, "zeros"))


@pytest.mark.parametrize("padding_mode", SCIPY_MODES)
@pytest.mark.parametrize(("sigma", "size"), [(0.3, 3), (0.83, 9), (2.0, 5)])
def test_gaussian_taps_smooth_as_scipys_gaussian_filter(sigma: float, size: int, padding_mode: str) -> None:
    """scipy samples and normalises as Eq. (9) does."""
    x_HW = _random(9, 8)
    taps_1K = gaussian_taps(torch.tensor([sigma**2], dtype=torch.float64), size)
    expected_HW = ndimage.gaussian_filter(x_HW.numpy(), sigma, mode=SCIPY_MODES[padding_mode], radius=size // 2)
    ours_HW = smooth(x_HW[None, None], taps_1K, taps_1K, padding_mode=padding_mode)[0, 0]
    torch.testing.assert_close(ours_HW, torch.from_numpy(expected_HW))


def test_taps_are_symmetric_positive_and_sum_to_one() -> None:
    taps_CK = gaussian_taps(torch.tensor([0.1, 1.0, 50.0], dtype=torch.float64), 9)
    torch.testing.assert_close(taps_CK.sum(dim=1), torch.ones(3, dtype=torch.float64))
    assert torch.equal(taps_CK, taps_CK.flip(1))
    assert (taps_CK > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("variance", [0.0, 1e-30, 1e-5])
def test_no_variance_is_no_smoothing_with_a_gradient_of_zero(variance: float, dtype: torch.dtype) -> None:
    """exp(-1 / (2 * 1e-5)) is 0 in float64."""
    variance_C = torch.tensor([variance, 1.0], dtype=dtype, requires_grad=True)
    taps_CK = gaussian_taps(variance_C, 5)
    assert taps_CK[0].tolist() == [0, 0, 1, 0, 0]
    taps_CK.square().sum().backward()
    assert variance_C.grad is not None
    assert variance_C.grad[0] == 0
    assert variance_C.grad[1] < 0


def test_endless_variance_is_the_mean() -> None:
    taps_CK = gaussian_taps(torch.tensor([torch.inf], dtype=torch.float64), 5)
    torch.testing.assert_close(taps_CK, torch.full((1, 5), 0.2, dtype=torch.float64))


@pytest.mark.parametrize("padding_mode", SCIPY_MODES)
@pytest.mark.parametrize("stride", [(2, 2), (1, 3), (3, 2)])
@pytest.mark.parametrize("size_HW", [(7, 8), (8, 7)])
def test_strided_is_the_unstrided_sampled(size_HW: tuple[int, int], stride: tuple[int, int], padding_mode: str) -> None:
    x_NCHW, rows_CK, columns_CK = _random(2, 3, *size_HW), _random(3, 5), _random(3, 7)
    everywhere = smooth(x_NCHW, rows_CK, columns_CK, padding_mode=padding_mode)
    strided = smooth(x_NCHW, rows_CK, columns_CK, stride=stride, padding_mode=padding_mode)
    torch.testing.assert_close(strided, everywhere[:, :, :: stride[0], :: stride[1]])


@pytest.mark.parametrize("padding_mode", SCIPY_MODES)
def test_one_image_needs_no_batch_axis(padding_mode: str) -> None:
    x_CHW, taps_CK = _random(3, 6, 7), _random(3, 9)
    ours = smooth(x_CHW, taps_CK, taps_CK, padding_mode=padding_mode)
    torch.testing.assert_close(ours, smooth(x_CHW[None], taps_CK, taps_CK, padding_mode=padding_mode)[0])


@pytest.mark.parametrize("own", [{}, {"stride": (2, 3)}, {"padding_mode": "reflect", "stride": (1, 2)}], ids=str)
def test_layers_are_the_same_function(own: dict[str, Any]) -> None:
    x_NCHW, rows_CK, columns_CK, bias_C = _random(2, 3, 7, 8), _random(3, 5), _random(3, 3), _random(3)
    layers = nn.Sequential(*smoothing_layers(rows_CK, columns_CK, bias_C=bias_C, **own))
    torch.testing.assert_close(layers(x_NCHW), smooth(x_NCHW, rows_CK, columns_CK, **own) + bias_C[:, None, None])


@pytest.mark.parametrize("padding_mode", SCIPY_MODES)
def test_gradients(padding_mode: str) -> None:
    x_NCHW, variance_C = _random(1, 2, 4, 5).requires_grad_(), _random(2).square().requires_grad_()

    def response(x_NCHW: torch.Tensor, variance_C: torch.Tensor) -> torch.Tensor:
        taps_CK = gaussian_taps(variance_C, 5)
        return smooth(x_NCHW, taps_CK, taps_CK, stride=(2, 1), padding_mode=padding_mode)

    assert torch.autograd.gradcheck(response, (x_NCHW, variance_C))


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate"])
def test_stays_in_channels_last(padding_mode: str) -> None:
    """Half as fast otherwise."""
    x_NCHW, taps_CK = _random(2, 8, 6, 7).contiguous(memory_format=torch.channels_last), _random(8, 9)
    y_NCHW = smooth(x_NCHW, taps_CK, taps_CK, padding_mode=padding_mode)
    assert y_NCHW.is_contiguous(memory_format=torch.channels_last)


def test_costs_two_multiply_accumulates_per_tap_and_pixel() -> None:
    layers = nn.Sequential(*smoothing_layers(_random(3, 9), _random(3, 9)))
    assert num_macs(layers, (3, 6, 8)) == 2 * 9 * 3 * 6 * 8
