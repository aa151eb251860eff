"""Against the two filters and the convolution written out, and against the plain convolution."""

import math
from typing import Any

import pytest
import torch
from tests.conv.literal_loops import convolved, correlated, outer
from torch import nn

from convrepro.conv import DepthwiseFilteredConv2d


def _conv(*args: Any, **kwargs: Any) -> DepthwiseFilteredConv2d:
    torch.manual_seed(0)
    return DepthwiseFilteredConv2d(*args, dtype=torch.float64, **kwargs)


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (1, 2)])
def test_is_the_two_filters_and_then_equation_4(kernel_size: int, stride: int) -> None:
    conv = _conv(2, 3, kernel_size, stride, envelope_size=5, bias=False)
    x_CHW = _image(2, 5, 6)
    channels = zip(x_CHW.tolist(), conv.column_weight.tolist(), conv.row_weight.tolist(), strict=True)
    filtered = [correlated(image, outer(column, row)) for image, column, row in channels]
    expected = [convolved(filtered, kernels, stride) for kernels in conv.weight.tolist()]
    torch.testing.assert_close(conv(x_CHW), torch.tensor(expected, dtype=torch.float64))


def test_a_single_tap_is_conv2d() -> None:
    conv = _conv(4, 6, 3, stride=2, padding=1, groups=2)
    for taps in (conv.row_weight, conv.column_weight):
        nn.init.zeros_(taps)
        nn.init.ones_(taps[:, 4])
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dtype=torch.float64)
    plain.load_state_dict(conv.state_dict(), strict=False)
    x_NCHW = _image(2, 4, 7, 8)
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW))


def test_what_the_rows_gain_the_columns_can_lose() -> None:
    """Only the product of both filters counts."""
    conv = _conv(3, 4, 3, padding=1)
    x_NCHW = _image(2, 3, 6, 6)
    before = conv(x_NCHW)
    with torch.no_grad():
        conv.row_weight.mul_(7)
        conv.column_weight.div_(7)
    torch.testing.assert_close(conv(x_NCHW), before)


def test_the_filter_of_a_strided_pointwise_convolution_is_computed_where_it_is_read_only() -> None:
    rows, columns, pointwise = _conv(4, 6, 1, stride=2).to_conv2d()
    assert (rows.stride, columns.stride, pointwise.stride) == ((1, 2), (2, 1), (1, 1))


def test_number_of_parameters() -> None:
    """2 k_g C more than the convolution: 2 * 9 * 3."""
    sizes = {name: parameter.numel() for name, parameter in DepthwiseFilteredConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16, "row_weight": 27, "column_weight": 27}


def test_it_starts_at_the_variance_of_the_plain_convolution() -> None:
    """N(0, 1 / k_g) twice keeps the variance of the input. 5 deviations of n = 36,864 squares."""
    torch.manual_seed(0)
    conv = DepthwiseFilteredConv2d(4096, 1, 1)
    for taps in (conv.row_weight, conv.column_weight):
        assert taps.square().mean().item() * 9 == pytest.approx(1, abs=5 * math.sqrt(2 / 36_864))
