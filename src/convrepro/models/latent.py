"""The latent axis in networks (DK-CNN, Sec. 3.7): it lives in the batch, and ends where it is averaged.

A convolution that creates L latent positions returns ``(B * L, O, H, W)``. On this layout the paper's 3x3x1
and 1x1x1 convolutions are ordinary ones, its 3-D batch normalisation, over N, L, H and W, is ``BatchNorm2d``,
and its pooling is spatial. A network averages where a convolution follows that creates latent positions
itself, and before the classifier.
"""

from collections import OrderedDict

import torch
from torch import nn

from convrepro.conv import ConvFactory


class AverageLatent(nn.Module):
    """Mean over the latent positions of each image, "avgpool 1x1xall": ``(B * L, ...)`` to ``(B, ...)``."""

    def __init__(self, num_latent: int) -> None:
        super().__init__()
        self.num_latent = num_latent

    def forward(self, x_XCHW: torch.Tensor) -> torch.Tensor:
        if x_XCHW.is_contiguous(memory_format=torch.channels_last):  # stays channels-last
            return self._average(x_XCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self._average(x_XCHW)

    def _average(self, x_X: torch.Tensor) -> torch.Tensor:
        return torch.unflatten(x_X, 0, (-1, self.num_latent)).mean(dim=1)

    def extra_repr(self) -> str:
        return f"num_latent={self.num_latent}"


def average(num_latent: int) -> AverageLatent | None:
    """The average that ends a latent axis, or None if there is none."""
    return AverageLatent(num_latent) if num_latent > 1 else None


def average_before(conv: ConvFactory, num_latent: int) -> AverageLatent | None:
    """The average that must stand before ``conv``, or None: one that creates a latent axis takes none."""
    return average(num_latent) if conv.num_latent > 1 else None


def latent_after(conv: ConvFactory, num_latent: int) -> int:
    """Latent positions after ``conv``, which takes ``num_latent`` of them or, if it must, their average."""
    return conv.num_latent if conv.num_latent > 1 else num_latent


def chain(**layers: nn.Module | None) -> nn.Sequential:
    """The layers in order under their names, without those that are None."""
    return nn.Sequential(OrderedDict((name, layer) for name, layer in layers.items() if layer is not None))
