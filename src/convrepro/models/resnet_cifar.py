"""ResNet with 6n + 2 layers for small images (He et al. 2016, Sec. 4.2; DK-CNN, Sec. 4.2, Table 2)."""

from collections.abc import Sequence

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average, average_before, chain, latent_after


class ResNetCifar(nn.Module):
    """A 3x3 stem, three stages of residual blocks of which two halve the image, mean, linear classifier.

    Latent positions are averaged before each convolution that creates its own, and before the classifier.
    BN starts at weight 1 and bias 0, the linear layer as torch has it, uniform within 1/sqrt(inputs) of 0:
    the paper names nothing else.

    Args:
        stem_conv: the first 3x3 convolution.
        conv1, conv2: the 3x3 convolutions of each block.
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
                stride = 2 if stage > 1 and number == 1 else 1
                block = ResidualBlock(
                    conv1, conv2, shortcut_conv, channels, width, stride=stride, num_latent=num_latent
                )
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


class ResidualBlock(nn.Module):
    """Table 2: ``relu(shortcut(x) + residual(x))``; way 1 is the shortcut, way 2 the residual path.

    Args:
        conv1, conv2, shortcut_conv: as in the network.
        in_channels, out_channels: channels of the input and the output.
        stride: of the first convolution and of the shortcut.
        num_latent: latent positions of the input; those of the output are the attribute ``num_latent``.
    """

    def __init__(
        self,
        conv1: ConvFactory,
        conv2: ConvFactory,
        shortcut_conv: ConvFactory,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        num_latent: int,
    ) -> None:
        super().__init__()
        between = latent_after(conv1, num_latent)
        self.num_latent = latent_after(conv2, between)
        self.residual = chain(
            latent_average1=average_before(conv1, num_latent),
            conv1=conv1(in_channels, out_channels, 3, stride=stride, padding=1),
            bnorm1=nn.BatchNorm2d(out_channels),
            relu=nn.ReLU(inplace=True),
            latent_average2=average_before(conv2, between),
            conv2=conv2(out_channels, out_channels, 3, padding=1),
            bnorm2=nn.BatchNorm2d(out_channels),
        )
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
