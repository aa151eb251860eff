"""Where the filtered input of a convolution is needed."""

from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import filtered_input


@pytest.mark.parametrize(
    ("geometry", "stride"),
    [
        ({"kernel_size": 1, "stride": (2, 3)}, (2, 3)),
        ({"kernel_size": 1, "stride": 2, "padding": "valid"}, (2, 2)),
        ({"kernel_size": 1, "stride": 2, "padding": 1}, (1, 1)),  # reads padding first, then odd positions
        ({"kernel_size": (1, 3), "stride": 2}, (1, 1)),
        ({"kernel_size": 3, "stride": 2, "padding": 1}, (1, 1)),
    ],
    ids=str,
)
def test_only_a_pointwise_convolution_without_padding_skips_positions(
    geometry: dict[str, Any], stride: tuple[int, int]
) -> None:
    conv = nn.Conv2d(2, 3, dtype=torch.float64, **geometry)
    assert filtered_input.reading_stride(conv) == stride
    x_NCHW = torch.randn(1, 2, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    read_NCHW = x_NCHW[..., :: stride[0], :: stride[1]]
    torch.testing.assert_close(filtered_input.convolve(conv, read_NCHW), conv(x_NCHW))
    torch.testing.assert_close(filtered_input.plain_conv2d(conv)(read_NCHW), conv(x_NCHW))
