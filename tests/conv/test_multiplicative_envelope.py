"""Against Eq. (10) written out, and against the plain convolution."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import MultiplicativeEnvelopeConv2d


def _conv(*args: Any, **kwargs: Any) -> MultiplicativeEnvelopeConv2d:
    torch.manual_seed(0)
    conv = MultiplicativeEnvelopeConv2d(*args, dtype=torch.float64, **kwargs)
    nn.init.normal_(conv.sigma_raw)
    return conv


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _equation_10(conv: MultiplicativeEnvelopeConv2d) -> torch.Tensor:
    """The kernels number by number."""
    (kh, kw), weight = conv.kernel_size, conv.weight.tolist()
    kernels = torch.zeros_like(conv.weight)
    num_read, num_made = len(weight[0]), len(weight) // conv.groups  # channels of a group
    for o in range(len(weight)):
        for index in range(num_read):
            variance = math.log(1 + math.exp(conv.sigma_raw[o // num_made * num_read + index].item()))
            g = [
                [math.exp(-((j - (kh - 1) / 2) ** 2 + (i - (kw - 1) / 2) ** 2) / (2 * variance)) for i in range(kw)]
                for j in range(kh)
            ]
            norm = math.sqrt(sum(value**2 for row in g for value in row))
            for j in range(kh):
                for i in range(kw):
                    kernels[o, index, j, i] = g[j][i] / norm * math.sqrt(kh * kw) * weight[o][index][j][i]
    return kernels


@pytest.mark.parametrize("kernel_size", [3, (2, 5), 1])
@pytest.mark.parametrize("groups", [1, 2])
@torch.no_grad()
def test_kernels_are_equation_10(kernel_size: int | tuple[int, int], groups: int) -> None:
    conv = _conv(4, 6, kernel_size, groups=groups)
    x_NCHW, kernels_OIkk = _image(2, 4, 6, 7), _equation_10(conv)
    torch.testing.assert_close(conv.effective_weight(), kernels_OIkk)
    torch.testing.assert_close(conv(x_NCHW), F.conv2d(x_NCHW, kernels_OIkk, conv.bias, groups=groups))


def test_a_wide_envelope_is_conv2d() -> None:
    """At sigma^2 = 1e12, g differs from 1 by 1e-12."""
    conv = _conv(4, 6, 3, stride=2, padding=1, groups=2)
    nn.init.constant_(conv.sigma_raw, 1e12)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dtype=torch.float64)
    plain.load_state_dict(conv.state_dict(), strict=False)
    x_NCHW = _image(2, 4, 7, 8)
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW))


@pytest.mark.parametrize("raw", [-200.0, 200.0])
def test_extreme_sigma_has_finite_gradients(raw: float) -> None:
    conv = MultiplicativeEnvelopeConv2d(2, 3, 3)
    nn.init.constant_(conv.sigma_raw, raw)
    conv(torch.ones(1, 2, 5, 5)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in conv.parameters())


def test_it_starts_at_variance_softplus_of_0() -> None:
    """The ratio of edge and centre is exp(-1 / (2 ln 2)), that of corner and centre its square."""
    envelope_kk = MultiplicativeEnvelopeConv2d(1, 1, 3, dtype=torch.float64).envelope()[0]
    edge = math.exp(-1 / (2 * math.log(2)))
    assert (envelope_kk[0, 1] / envelope_kk[1, 1]).item() == pytest.approx(edge, rel=1e-12)
    assert (envelope_kk[0, 0] / envelope_kk[1, 1]).item() == pytest.approx(edge**2, rel=1e-12)


def test_number_of_parameters() -> None:
    """C more than the convolution."""
    sizes = {name: parameter.numel() for name, parameter in MultiplicativeEnvelopeConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16, "sigma_raw": 3}
