"""ResNet with 6n + 2 layers for small images (He et al. 2016, Sec. 4.2; DK-CNN, Sec. 4.2, Table 2)."""

from collections.abc import Sequence

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average, chain
from convrepro.models.residual import ConvLayer, ResidualBlock


class ResNetCifar(nn.Module):
    """A 3x3 stem, three stages of residual blocks of which two halve the image, mean, linear classifier.

    Latent positions are averaged before each convolution that creates its own, and before the classifier.
    BN starts at weight 1 and bias 0, the linear layer as torch has it, uniform within 1/sqrt(inputs) of 0:
    the paper names nothing else.

    Args:
        stem_conv: the first 3x3 convolution.
        conv1, conv2: the 3x3 convolutions of each block.
        downsizing_conv: takes the place of ``conv1`` in the blocks that halve the image, with stride 2.
        shortcut_conv: the 1x1 convolution of the shortcut where the shape changes.
        depth: number of layers, 6n + 2 with n blocks a stage.
        widths: channels of the three stages.
        num_classes: outputs.
        in_channels: channels of the images.

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, for any H and W.

    Raises:
        ValueError: if ``depth`` is not 6n + 2, if there are not three widths, or if the two ways of a block
            differ in latent positions.

    Deviations:
        He et al. use shortcuts without parameters; the paper's Sec. 4.2 has a convolution, as here.
        Table 2 prints the second ReLU above the "+"; as in He et al., it follows the addition.
    """

    def __init__(
        self,
        stem_conv: ConvFactory,
        conv1: ConvFactory,
        downsizing_conv: ConvFactory,
        conv2: ConvFactory,
        shortcut_conv: ConvFactory,
        *,
        depth: int,
        widths: Sequence[int],
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"`depth` must be 6n + 2 (20, 32, 44, 56, 110), got {depth}.")
        if len(widths) != 3:
            raise ValueError(f"`widths` must be those of 3 stages, got {list(widths)}.")
        self.stem = chain(
            conv=stem_conv(in_channels, widths[0], 3, padding=1),
            bnorm=nn.BatchNorm2d(widths[0]),
            relu=nn.ReLU(inplace=True),
        )
        self.stages = nn.Sequential()
        channels, num_latent = widths[0], stem_conv.num_latent
        for stage, width in enumerate(widths, start=1):
            blocks = nn.Sequential()
            for number in range(1, (depth - 2) // 6 + 1):
                halves = stage > 1 and number == 1
                first = ConvLayer(
                    conv=downsizing_conv if halves else conv1,
                    out_channels=width,
                    kernel_size=3,
                    stride=2 if halves else 1,
                )
                second = ConvLayer(conv=conv2, out_channels=width, kernel_size=3)
                block = ResidualBlock([first, second], shortcut_conv, channels, num_latent=num_latent)
                blocks.add_module(f"block{number}", block)
                channels, num_latent = width, block.num_latent
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
