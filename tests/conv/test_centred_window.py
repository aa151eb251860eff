"""Averages around the kernel, against the mean of slices."""

import pytest
import torch
from torch import nn

from convrepro.conv.centred_window import check_centre, window_average


def _image() -> torch.Tensor:
    return torch.randn(1, 2, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_without_padding_the_window_lies_around_the_kernels_centre() -> None:
    """At output (1, 1) and stride 2, the centre of the 5x5 kernel is at pixel (2 + 2, 2 + 2)."""
    conv, x_NCHW = nn.Conv2d(2, 3, 5, stride=2), _image()
    averages = window_average(conv, x_NCHW, 3)
    assert averages.shape == (1, 2, 2, 2)
    torch.testing.assert_close(averages[..., 1, 1], x_NCHW[..., 3:6, 3:6].mean(dim=(2, 3)))


def test_zeros_outside_the_image_count() -> None:
    conv, x_NCHW = nn.Conv2d(2, 3, 1), _image()
    corner = x_NCHW[..., :2, :2].sum(dim=(2, 3)) / 9
    torch.testing.assert_close(window_average(conv, x_NCHW, 3)[..., 0, 0], corner)


def test_a_window_within_the_kernel_never_leaves_the_image() -> None:
    conv, x_NCHW = nn.Conv2d(2, 3, 5, padding_mode="circular"), _image()
    torch.testing.assert_close(window_average(conv, x_NCHW, 1), x_NCHW[..., 2:-2, 2:-2])


def test_kernel_without_a_central_pixel() -> None:
    with pytest.raises(ValueError, match=r"`kernel_size` must be odd where `dilation` is, got \(3, 4\) and \(1, 1\)"):
        check_centre(nn.Conv2d(2, 3, (3, 4)))
