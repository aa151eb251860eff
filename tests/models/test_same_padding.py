import math

import numpy as np
import pytest
import torch
from torch import nn

from convrepro.models.same_padding import SamePadding, same_padding


@pytest.mark.parametrize(
    ("size", "kernel_size", "stride", "expected"),
    [
        (128, 3, 2, (0, 1)),  # (64 - 1) 2 + 3 - 128 = 1
        (128, 7, 2, (2, 3)),  # 126 + 7 - 128 = 5
        (7, 3, 2, (1, 1)),  # (4 - 1) 2 + 3 - 7 = 2
        (5, 1, 2, (0, 0)),
        (9, 3, 1, (1, 1)),
        (4, 9, 1, (4, 4)),
    ],
)
def test_padding_of_tensorflow(size: int, kernel_size: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel_size, stride) == expected


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
def test_as_many_windows_as_strides_begin_in_the_image(kernel_size: int, stride: int) -> None:
    for size in range(1, 20):
        padded = size + sum(same_padding(size, kernel_size, stride))
        assert (padded - kernel_size) // stride + 1 == -(-size // stride)


@pytest.mark.parametrize(("height", "width", "kernel_size"), [(6, 8, 3), (8, 5, 7), (7, 6, 5)])
def test_a_strided_convolution_after_it_is_keras_conv2d_same(height: int, width: int, kernel_size: int) -> None:
    """Window (r, c) starts at 2 r - before; what lies outside the image is 0."""
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 3, kernel_size, stride=2, bias=False, dtype=torch.float64)
    x_CHW = torch.randn(2, height, width, dtype=torch.float64)
    found = conv(SamePadding(kernel_size, 2)(x_CHW[None]))[0].detach().numpy()
    image, weight = x_CHW.numpy(), conv.weight.detach().numpy()
    expected = np.zeros((3, -(-height // 2), -(-width // 2)))
    top = max((expected.shape[1] - 1) * 2 + kernel_size - height, 0) // 2
    left = max((expected.shape[2] - 1) * 2 + kernel_size - width, 0) // 2
    for o, r, c, i, y, x in np.ndindex(*expected.shape, 2, kernel_size, kernel_size):
        row, column = 2 * r - top + y, 2 * c - left + x
        if 0 <= row < height and 0 <= column < width:
            expected[o, r, c] += weight[o, i, y, x] * image[i, row, column]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_symmetric_padding_is_another_function() -> None:
    conv = nn.Conv2d(1, 1, 3, stride=2, bias=False)
    x_BCHW = torch.arange(16.0).view(1, 1, 4, 4)
    symmetric = nn.functional.conv2d(x_BCHW, conv.weight, stride=2, padding=1)
    assert not torch.allclose(conv(SamePadding(3, 2)(x_BCHW)), symmetric)


def test_padding_of_a_max_pool_is_never_the_maximum() -> None:
    x_BCHW = -torch.ones(1, 1, 4, 4)
    pooled = nn.MaxPool2d(3, 2)(SamePadding(3, 2, value=-math.inf)(x_BCHW))
    assert torch.equal(pooled, -torch.ones(1, 1, 2, 2))
