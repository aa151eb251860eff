"""Against the two filters and the convolution written out, and against the plain convolution."""

import doctest
import math
from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import DepthwiseFilteredConv2d, depthwise_filtered


def _conv(*args: Any, **kwargs: Any) -> DepthwiseFilteredConv2d:
    torch.manual_seed(0)
    return DepthwiseFilteredConv2d(*args, dtype=torch.float64, **kwargs)


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _filtered(image: list[list[float]], row: list[float], column: list[float]) -> list[list[float]]:
    """Number by number, both filters at once, zeros around the image."""
    height, width, reach = len(image), len(image[0]), len(row) // 2
    out = [[0.0] * width for _ in range(height)]
    for y in range(height):
        for x in range(width):
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        out[y][x] += column[reach + dy] * row[reach + dx] * image[y + dy][x + dx]
    return out


def _convolved(images: list[list[list[float]]], weight: list[list[list[float]]], stride: int) -> list[list[float]]:
    """Eq. (4) number by number, without padding, for one output channel."""
    side = len(weight[0])
    rows, columns = (range(0, size - side + 1, stride) for size in (len(images[0]), len(images[0][0])))
    return [
        [
            sum(
                weight[c][j][i] * image[y + j][x + i]
                for c, image in enumerate(images)
                for j in range(side)
                for i in range(side)
            )
            for x in columns
        ]
        for y in rows
    ]


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (1, 2)])
def test_is_the_two_filters_and_then_equation_4(kernel_size: int, stride: int) -> None:
    conv = _conv(2, 3, kernel_size, stride, envelope_size=5, bias=False)
    x_CHW = _image(2, 5, 6)
    taps = zip(x_CHW.tolist(), conv.row_weight.tolist(), conv.column_weight.tolist(), strict=True)
    filtered = [_filtered(*channel) for channel in taps]
    expected = [_convolved(filtered, kernel, stride) for kernel in conv.weight.tolist()]
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


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(
    "geometry",
    [
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": 1, "stride": (2, 1), "padding": "valid", "bias": False},
        {"kernel_size": 1, "stride": 2, "padding": 1},
        {"kernel_size": 3, "padding": "same", "dilation": 2, "groups": 2},
        {"kernel_size": (3, 2), "stride": (1, 2), "padding": (2, 1), "dilation": (2, 1)},
    ],
    ids=str,
)
def test_to_conv2d_is_the_same_function(geometry: dict[str, Any], padding_mode: str) -> None:
    conv = _conv(4, 6, padding_mode=padding_mode, envelope_size=5, **geometry)
    x_NCHW = _image(2, 4, 7, 8)
    torch.testing.assert_close(conv.to_conv2d()(x_NCHW), conv(x_NCHW))


def test_the_filter_of_a_strided_pointwise_convolution_is_computed_where_it_is_read_only() -> None:
    rows, columns, pointwise = _conv(4, 6, 1, stride=2).to_conv2d()
    assert (rows.stride, columns.stride, pointwise.stride) == ((1, 2), (2, 1), (1, 1))


def test_gradients() -> None:
    conv = _conv(2, 2, 2, envelope_size=3)
    names = list(dict(conv.named_parameters()))

    def response(x_NCHW: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(conv, dict(zip(names, values, strict=True)), (x_NCHW,))

    assert torch.autograd.gradcheck(response, (_image(1, 2, 3, 3).requires_grad_(), *conv.parameters()))


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


@pytest.mark.parametrize("envelope_size", [4, 0, -1])
def test_envelope_size_without_a_centre(envelope_size: int) -> None:
    with pytest.raises(ValueError, match=rf"`envelope_size` must be odd and at least 1, got {envelope_size}"):
        DepthwiseFilteredConv2d(3, 4, 3, envelope_size=envelope_size)


def test_printed_form_has_the_size_of_the_filter() -> None:
    assert repr(DepthwiseFilteredConv2d(3, 4, 3)).endswith("stride=(1, 1), envelope_size=9)")


def test_docstring_example() -> None:
    failed, attempted = doctest.testmod(depthwise_filtered)
    assert (failed, attempted) == (0, 3)
