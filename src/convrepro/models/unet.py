"""U-Net of separable convolutions for segmentation, the Keras example's (Tek, Çam, Karlı 2021, Sec. 4.4)."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average, chain
from convrepro.models.same_padding import SamePadding


class UNet(nn.Module):
    """The network of the Keras example "Image segmentation with a U-Net-like architecture" (F. Chollet), with ELU.

    The stem halves the image; so does each block of the encoder, by a max-pool over two separable convolutions; each
    block of the decoder doubles it, by nearest neighbours, after two transposed convolutions. Each block adds its
    input, through a 1x1 convolution. There are no connections from the encoder to the decoder. Padding is Keras's
    'same', batch normalisation has Keras's constants (1e-3 beside the variance, 0.99 of the running statistics kept).
    All layers but the stem start Glorot-uniform with biases of 0, as Keras has them; the stem starts as its factory has
    it, unless the recipe names an ``initialisation``.

    Args:
        stem_conv: the first convolution, of stride 2, without bias: the only adaptive layer of the paper.
        kernel_size: its side, odd. The paper uses 3 and 7.
        stem: its filters. The example has 32.
        encoder: channels of the blocks that halve the image. The authors' code has 48, 64, 96.
        decoder: channels of the blocks that double it, one more. The authors' code has 96, 64, 48, 32.
        num_classes: outputs of each pixel.
        in_channels: channels of the images.

    Shape:
        ``(B, in_channels, H, W)`` to logits ``(B, num_classes, H, W)``. Where H or W is no multiple of the factor by
        which the image is shrunk (16 with three blocks), the upper left part of a larger output.

    Raises:
        ValueError: if ``kernel_size`` is even, or ``decoder`` has not one block more than ``encoder``.

    Deviations:
        The paper points to its supplement for the configuration; the sizes are those of the authors' public code, whose
        numbers of parameters these are: 396,515 (kernel 3) and 400,355 (7), 1,856 running statistics among them.
        The example upsamples either way of a decoder's block and adds them; nearest neighbours commute with the 1x1
        convolution and the sum, so here the sum is upsampled: the same function at a quarter of the shortcut's cost.
        The image is padded before the stem, whose factory pads alike on all sides: operators that smooth their input
        see the padding.
    """

    def __init__(
        self,
        stem_conv: ConvFactory,
        *,
        kernel_size: int,
        stem: int,
        encoder: Sequence[int],
        decoder: Sequence[int],
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd and positive, got {kernel_size}.")
        if len(decoder) != len(encoder) + 1:
            raise ValueError(
                "`decoder` must have one block more than `encoder`, for the stem halves the image too; "
                f"got {len(decoder)} and {len(encoder)}."
            )
        self.stem = chain(
            pad=SamePadding(kernel_size, 2),
            conv=stem_conv(in_channels, stem, kernel_size, stride=2),
            bnorm=_bnorm(stem),
            elu=nn.ELU(inplace=True),
            latent_average=average(stem_conv.num_latent),
        )
        widths = [stem, *encoder]
        self.encoder = nn.Sequential(*(_Down(*pair) for pair in itertools.pairwise(widths)))
        widths = [widths[-1], *decoder]
        self.decoder = nn.Sequential(*(_Up(*pair) for pair in itertools.pairwise(widths)))
        self.classifier = nn.Conv2d(widths[-1], num_classes, 3, padding=1)
        for part in (self.encoder, self.decoder, self.classifier):
            part.apply(_start_as_keras_does)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        height, width = x_BCHW.shape[2:]
        logits_BKHW: torch.Tensor = self.classifier(self.decoder(self.encoder(self.stem(x_BCHW))))
        return logits_BKHW[:, :, :height, :width]


class _Down(nn.Module):
    """``(B, C, H, W)`` to ``(B, O, H / 2, W / 2)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.path = chain(
            elu1=nn.ELU(),
            separable1=_separable(in_channels, out_channels),
            bnorm1=_bnorm(out_channels),
            elu2=nn.ELU(inplace=True),
            separable2=_separable(out_channels, out_channels),
            bnorm2=_bnorm(out_channels),
            pad=SamePadding(3, 2, value=-math.inf),
            maxpool=nn.MaxPool2d(3, 2),
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=2)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BOHW: torch.Tensor = self.path(x_BCHW) + self.shortcut(x_BCHW)
        return y_BOHW


class _Up(nn.Module):
    """``(B, C, H, W)`` to ``(B, O, 2 H, 2 W)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.path = chain(
            elu1=nn.ELU(),
            transposed1=nn.ConvTranspose2d(in_channels, out_channels, 3, padding=1),
            bnorm1=_bnorm(out_channels),
            elu2=nn.ELU(inplace=True),
            transposed2=nn.ConvTranspose2d(out_channels, out_channels, 3, padding=1),
            bnorm2=_bnorm(out_channels),
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BOHW: torch.Tensor = self.upsample(self.path(x_BCHW) + self.shortcut(x_BCHW))
        return y_BOHW


def _bnorm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 for each channel, then 1x1 with a bias, as Keras's ``SeparableConv2D``."""
    return chain(
        depthwise=nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        pointwise=nn.Conv2d(in_channels, out_channels, 1),
    )


def _start_as_keras_does(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
