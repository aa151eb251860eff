"""Residual blocks of any depth (He et al. 2016, Fig. 5; DK-CNN, Table 2)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average_before, chain, latent_after


@dataclass(frozen=True, kw_only=True)
class ConvLayer:
    """A convolution of a residual path: who makes it, and its sizes. It is padded by half its kernel."""

    conv: ConvFactory
    out_channels: int
    kernel_size: int
    stride: int = 1
    groups: int = 1


class ResidualBlock(nn.Module):
    """``relu(shortcut(x) + residual(x))``: on the residual path batch normalisation follows each convolution, and
    ReLU all but the last.

    Args:
        layers: of the residual path.
        shortcut_conv: the 1x1 convolution of the shortcut, taken where the two ways differ in shape.
        in_channels: channels of the input; the output has those of the last layer.
        num_latent: latent positions of the input; those of the output are the attribute ``num_latent``.

    Raises:
        ValueError: if the two ways differ in latent positions.
    """

    def __init__(
        self, layers: Sequence[ConvLayer], shortcut_conv: ConvFactory, in_channels: int, *, num_latent: int
    ) -> None:
        super().__init__()
        out_channels, stride = layers[-1].out_channels, math.prod(layer.stride for layer in layers)
        self.num_latent, channels = num_latent, in_channels
        path: dict[str, nn.Module | None] = {}
        for number, layer in enumerate(layers, start=1):
            path[f"latent_average{number}"] = average_before(layer.conv, self.num_latent)
            path[f"conv{number}"] = layer.conv(
                channels,
                layer.out_channels,
                layer.kernel_size,
                stride=layer.stride,
                padding=layer.kernel_size // 2,
                groups=layer.groups,
            )
            path[f"bnorm{number}"] = nn.BatchNorm2d(layer.out_channels)
            path[f"relu{number}"] = nn.ReLU(inplace=True) if number < len(layers) else None
            channels, self.num_latent = layer.out_channels, latent_after(layer.conv, self.num_latent)
        self.residual = chain(**path)
        self.shortcut: nn.Module = nn.Identity()
        on_shortcut = num_latent
        if stride != 1 or in_channels != out_channels:
            self.shortcut = chain(
                latent_average=average_before(shortcut_conv, num_latent),
                conv=shortcut_conv(in_channels, out_channels, 1, stride=stride),
                bnorm=nn.BatchNorm2d(out_channels),
            )
            on_shortcut = latent_after(shortcut_conv, num_latent)
        if on_shortcut != self.num_latent:
            raise ValueError(
                f"a block's two ways must have equally many latent positions, got {on_shortcut} on the "
                f"shortcut and {self.num_latent} on the residual path; place the operator in `stem_conv` too."
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x_XCHW: torch.Tensor) -> torch.Tensor:
        y_XCHW: torch.Tensor = self.relu(self.shortcut(x_XCHW) + self.residual(x_XCHW))
        return y_XCHW
