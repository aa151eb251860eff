"""ResNet for large images (He et al. 2016, https://arxiv.org/abs/1512.03385, Table 1)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average, chain
from convrepro.models.residual import ConvLayer, ResidualBlock

_EXPANSION = 4  # a bottleneck's last 1x1 convolution has four times the channels of its others (Table 1)


class ResNetImageNet(nn.Module):
    """A 7x7 stem and max-pool, four stages of residual blocks, mean, linear classifier.

    Stem, max-pool and the first blocks of stages 2 to 4 halve the image. Latent positions are averaged before each
    convolution that creates its own, and before the classifier. BN starts at weight 1 and bias 0, the linear layer as
    torch has it, uniform within 1/sqrt(inputs) of 0.

    Args:
        stem_conv: the first convolution, 7x7 with stride 2.
        conv1: the first 3x3 convolution of each basic block; bottleneck blocks have none.
        conv2: the other 3x3 convolution of each basic block, the 3x3 convolution of each bottleneck block.
        downsizing_conv: takes the place of the convolution of the residual path that has stride 2.
        pointwise_conv: the two 1x1 convolutions of each bottleneck block; basic blocks have none.
        shortcut_conv: the 1x1 convolution of a shortcut that changes the number of channels only.
        downsizing_shortcut_conv: the 1x1 convolution with stride 2 of a shortcut.
        block: ``basic``, two 3x3 convolutions, or ``bottleneck``, 1x1, 3x3, 1x1 (Fig. 5).
        num_blocks: number of blocks of each of the four stages.
        widths: channels of each stage; a bottleneck stage puts out four times as many.
        stride_in: the convolution that halves the image in a bottleneck block: ``1x1``, the first one, as He et al.
            have it, or ``3x3``, as torchvision has it ("v1.5"). In a basic block it is a 3x3 convolution.
        num_classes: outputs.
        in_channels: channels of the images.

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, for any H and W.

    Raises:
        ValueError: if there are not four stages of at least one block, if a basic block shall halve the image in a 1x1
            convolution, or if the two ways of a block differ in latent positions.
    """

    def __init__(
        self,
        stem_conv: ConvFactory,
        conv1: ConvFactory,
        conv2: ConvFactory,
        downsizing_conv: ConvFactory,
        pointwise_conv: ConvFactory,
        shortcut_conv: ConvFactory,
        downsizing_shortcut_conv: ConvFactory,
        *,
        block: Literal["basic", "bottleneck"],
        num_blocks: Sequence[int],
        widths: Sequence[int],
        stride_in: Literal["1x1", "3x3"],
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        if not len(num_blocks) == len(widths) == 4 or min(num_blocks) < 1:
            raise ValueError(
                "`num_blocks`, at least 1, and `widths` must be those of 4 stages, "
                f"got {list(num_blocks)} and {list(widths)}."
            )
        if block == "basic" and stride_in == "1x1":
            raise ValueError("`stride_in` must be '3x3' where `block` is 'basic': its convolutions are 3x3.")
        strided = 1 if block == "bottleneck" and stride_in == "3x3" else 0  # which layer of a block that halves
        self.stem = chain(
            conv=stem_conv(in_channels, widths[0], 7, stride=2, padding=3),
            bnorm=nn.BatchNorm2d(widths[0]),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = nn.Sequential()
        channels, num_latent = widths[0], stem_conv.num_latent
        for stage, (width, num_stage_blocks) in enumerate(zip(widths, num_blocks, strict=True), start=1):
            blocks = nn.Sequential()
            for number in range(1, num_stage_blocks + 1):
                if block == "basic":
                    layers = [_layer(conv1, width, 3), _layer(conv2, width, 3)]
                else:
                    inner = [_layer(pointwise_conv, width, 1), _layer(conv2, width, 3)]
                    layers = [*inner, _layer(pointwise_conv, _EXPANSION * width, 1)]
                halves = stage > 1 and number == 1
                if halves:
                    layers[strided] = replace(layers[strided], conv=downsizing_conv, stride=2)
                on_shortcut = downsizing_shortcut_conv if halves else shortcut_conv
                residual_block = ResidualBlock(layers, on_shortcut, channels, num_latent=num_latent)
                blocks.add_module(f"block{number}", residual_block)
                channels, num_latent = layers[-1].out_channels, residual_block.num_latent
            self.stages.add_module(f"stage{stage}", blocks)
        self.head = chain(
            global_avgpool=nn.AdaptiveAvgPool2d(1),
            latent_average=average(num_latent),
            flatten=nn.Flatten(),
            classifier=nn.Linear(channels, num_classes),
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(self.stages(self.stem(x_BCHW)))
        return logits_BK


def _layer(conv: ConvFactory, out_channels: int, kernel_size: int) -> ConvLayer:
    return ConvLayer(conv=conv, out_channels=out_channels, kernel_size=kernel_size)
