"""Against Eq. (12) written out, the paper's Gaussian, and the plain convolution."""

import doctest
import math
from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import ParametricAttentionConv2d, parametric_attention
from convrepro.conv.smoothing import gaussian_taps


def _conv(*args: Any, **kwargs: Any) -> ParametricAttentionConv2d:
    """With a map of no symmetry."""
    torch.manual_seed(0)
    conv = ParametricAttentionConv2d(*args, dtype=torch.float64, **kwargs)
    nn.init.normal_(conv.attention_logits)
    return conv


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _averaged(image: list[list[float]], logits: list[list[float]]) -> list[list[float]]:
    """Eq. (12) in the place of g in Eq. (3), number by number, zeros around the image."""
    height, width, reach = len(image), len(image[0]), len(logits) // 2
    total = sum(math.exp(logit) for row in logits for logit in row)
    out = [[0.0] * width for _ in range(height)]
    for y in range(height):
        for x in range(width):
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        weight = math.exp(logits[reach + dy][reach + dx]) / total
                        out[y][x] += weight * image[y + dy][x + dx]
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
def test_is_equation_12_and_then_equation_4(kernel_size: int, stride: int) -> None:
    conv = _conv(2, 3, kernel_size, stride, envelope_size=5, bias=False)
    x_CHW = _image(2, 5, 6)
    averaged = [_averaged(x_HW, conv.attention_logits.tolist()) for x_HW in x_CHW.tolist()]
    expected = [_convolved(averaged, kernel, stride) for kernel in conv.weight.tolist()]
    torch.testing.assert_close(conv(x_CHW), torch.tensor(expected, dtype=torch.float64))


def test_a_large_central_logit_is_conv2d() -> None:
    conv = _conv(4, 6, 3, stride=2, padding=1, groups=2)
    with torch.no_grad():
        conv.attention_logits[4, 4] = 1000.0  # exp(-1000) is 0
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dtype=torch.float64)
    plain.load_state_dict(conv.state_dict(), strict=False)
    x_NCHW = _image(2, 4, 7, 8)
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW))


def test_it_starts_at_the_gaussian_of_variance_softplus_of_0() -> None:
    """That of Eq. (9) in both directions, computed by another module."""
    taps_K = gaussian_taps(torch.tensor([math.log(2)], dtype=torch.float64), 9)[0]
    start = ParametricAttentionConv2d(3, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(start.attention(), torch.outer(taps_K, taps_K))


def test_a_constant_on_all_logits_changes_nothing() -> None:
    conv = _conv(3, 4, 3, padding=1)
    x_NCHW = _image(2, 3, 6, 6)
    before = conv(x_NCHW)
    with torch.no_grad():
        conv.attention_logits += 3.0
    torch.testing.assert_close(conv(x_NCHW), before)


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(
    "geometry",
    [
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": 1, "stride": 2, "padding": 1, "bias": False},
        {"kernel_size": 3, "padding": "same", "dilation": 2, "groups": 2},
        {"kernel_size": (3, 2), "stride": (1, 2), "padding": (2, 1), "dilation": (2, 1)},
    ],
    ids=str,
)
def test_to_conv2d_is_the_same_function(geometry: dict[str, Any], padding_mode: str) -> None:
    conv = _conv(4, 6, padding_mode=padding_mode, envelope_size=5, **geometry)
    x_NCHW = _image(2, 4, 7, 8)
    torch.testing.assert_close(conv.to_conv2d()(x_NCHW), conv(x_NCHW))


def test_gradients() -> None:
    conv = _conv(2, 2, 2, envelope_size=3)
    names = list(dict(conv.named_parameters()))

    def response(x_NCHW: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(conv, dict(zip(names, values, strict=True)), (x_NCHW,))

    assert torch.autograd.gradcheck(response, (_image(1, 2, 3, 3).requires_grad_(), *conv.parameters()))


def test_number_of_parameters() -> None:
    """k_g^2 more than the convolution, whatever C is."""
    sizes = {name: parameter.numel() for name, parameter in ParametricAttentionConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16, "attention_logits": 81}


def test_envelope_size_without_a_centre() -> None:
    with pytest.raises(ValueError, match="`envelope_size` must be odd and at least 1, got 4"):
        ParametricAttentionConv2d(3, 4, 3, envelope_size=4)


def test_printed_form_has_the_size_of_the_map() -> None:
    assert repr(ParametricAttentionConv2d(3, 4, 3)).endswith("stride=(1, 1), envelope_size=9)")


def test_docstring_example() -> None:
    failed, attempted = doctest.testmod(parametric_attention)
    assert (failed, attempted) == (0, 3)
