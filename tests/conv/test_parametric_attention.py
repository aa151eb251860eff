"""Against Eq. (12) written out, the paper's Gaussian, and the plain convolution."""

import math
from typing import Any

import pytest
import torch
from tests.conv.literal_loops import convolved, correlated
from torch import nn

from convrepro.conv import ParametricAttentionConv2d
from convrepro.conv.smoothing import gaussian_taps


def _conv(*args: Any, **kwargs: Any) -> ParametricAttentionConv2d:
    """With a map of no symmetry."""
    torch.manual_seed(0)
    conv = ParametricAttentionConv2d(*args, dtype=torch.float64, **kwargs)
    nn.init.normal_(conv.attention_logits)
    return conv


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (1, 2)])
def test_is_equation_12_and_then_equation_4(kernel_size: int, stride: int) -> None:
    conv = _conv(2, 3, kernel_size, stride, envelope_size=5, bias=False)
    x_CHW = _image(2, 5, 6)
    exponentials = [[math.exp(logit) for logit in row] for row in conv.attention_logits.tolist()]
    total = sum(value for row in exponentials for value in row)
    attention = [[value / total for value in row] for row in exponentials]
    averaged = [correlated(image, attention) for image in x_CHW.tolist()]
    expected = [convolved(averaged, kernels, stride) for kernels in conv.weight.tolist()]
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


def test_number_of_parameters() -> None:
    """k_g^2 more than the convolution, whatever C is."""
    sizes = {name: parameter.numel() for name, parameter in ParametricAttentionConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16, "attention_logits": 81}
