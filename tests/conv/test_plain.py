"""Plain convolutions with given weights."""

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv.plain import conv2d_like, conv2d_with, depthwise_conv2d


def _numbers(*size: int) -> torch.Tensor:
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(len(size)))


def test_geometry_is_the_layers_and_weights_are_the_given_ones() -> None:
    layer = nn.Conv2d(4, 6, 3, 2, 2, 2, 2, False, "circular", "cpu", torch.float64)
    weight_OIKK, bias_O, x_BCHW = _numbers(6, 2, 3, 3), _numbers(6), _numbers(2, 4, 8, 8)
    plain = conv2d_like(layer, weight_OIKK, bias_O)
    with torch.no_grad():
        layer.weight.copy_(weight_OIKK)
    torch.testing.assert_close(plain(x_BCHW), layer(x_BCHW) + bias_O[:, None, None])


def test_weights_are_copies_that_can_be_trained() -> None:
    weight_OIKK = _numbers(2, 3, 1, 1).requires_grad_()
    plain = conv2d_with(3, weight_OIKK * 2, None)
    assert plain.weight.is_leaf
    assert plain.weight.requires_grad
    assert plain.weight.dtype is torch.float64
    assert plain.bias is None


def test_making_one_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    conv2d_with(3, torch.zeros(2, 3, 1, 1), torch.zeros(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_depthwise_kernel_is_centred_on_every_strideth_pixel() -> None:
    kernels_CKK, x_BCHW = _numbers(2, 3, 5), _numbers(1, 2, 7, 8)
    padded_BCHW = F.pad(x_BCHW, (2, 2, 1, 1))
    y_BCHW = depthwise_conv2d(kernels_CKK, stride=(2, 3), padding_mode="zeros")(x_BCHW)
    assert y_BCHW.shape == (1, 2, 4, 3)
    for channel, row, column in ((0, 0, 0), (1, 3, 2), (0, 1, 1)):
        window_KK = padded_BCHW[0, channel, 2 * row : 2 * row + 3, 3 * column : 3 * column + 5]
        torch.testing.assert_close(y_BCHW[0, channel, row, column], (window_KK * kernels_CKK[channel]).sum())
