"""One convolution that answers an image with one image for each of its filters (Tek, Çam, Karlı 2021, Sec. 4.1)."""

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average, chain


class FilterBank(nn.Module):
    """The "simple auto-encoder" of Sec. 4.1: a convolution without bias, linear, that keeps the size of the image.

    Latent positions are averaged.

    Args:
        conv: the convolution.
        kernel_size: its side, odd. The paper uses 9.
        num_filters: its filters. The paper uses nine.
        in_channels: channels of the images.

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, num_filters, H, W)``.

    Raises:
        ValueError: if ``kernel_size`` is even.

    Deviations:
        The paper points to its supplement for the configuration; one layer is what the authors' public code has, where
        the ordinary convolution has a bias. None is needed here: the filters to be learned have none.
    """

    def __init__(self, conv: ConvFactory, *, kernel_size: int, num_filters: int, in_channels: int) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd and positive, got {kernel_size}: the images keep their size.")
        self.layer = chain(
            conv=conv(in_channels, num_filters, kernel_size, padding=kernel_size // 2),
            latent_average=average(conv.num_latent),
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BFHW: torch.Tensor = self.layer(x_BCHW)
        return y_BFHW
