"""DenseNet-BC for small images (Huang et al. 2017, Sec. 3; DK-CNN, Sec. 4.2, Table 3)."""

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average, average_before, chain, latent_after


class DenseNetBC(nn.Module):
    """A 3x3 stem, three dense blocks with compressing, halving transitions between, mean, linear classifier.

    Latent positions are averaged before each convolution that creates its own, and before the classifier.
    BN starts at weight 1 and bias 0, the linear layer as torch has it, uniform within 1/sqrt(inputs) of 0:
    the paper names nothing else.

    Args:
        stem_conv: the first 3x3 convolution.
        bottleneck_conv: the 1x1 convolution of each dense layer.
        growth_conv: the 3x3 convolution of each dense layer.
        transition_conv: the 1x1 convolution between two blocks.
        depth: number of layers, 6n + 4 with n dense layers a block.
        growth_rate: channels k that each dense layer adds.
        initial_channels: channels after the stem.
        bottleneck_width: channels between the convolutions of a dense layer, in multiples of k.
        compression: share of the channels that a transition keeps, in (0, 1]; the number is rounded down.
        num_classes: outputs.
        in_channels: channels of the images.

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, for H and W of at least 4.

    Raises:
        ValueError: if ``depth`` is not 6n + 4, if ``compression`` lies outside (0, 1], if concatenated maps
            differ in latent positions, or, in ``forward``, if two poolings would leave nothing of the images.
    """

    def __init__(
        self,
        stem_conv: ConvFactory,
        bottleneck_conv: ConvFactory,
        growth_conv: ConvFactory,
        transition_conv: ConvFactory,
        *,
        depth: int,
        growth_rate: int,
        initial_channels: int,
        bottleneck_width: int,
        compression: float,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        if depth < 10 or depth % 6 != 4:
            raise ValueError(f"`depth` must be 6n + 4 (40, 52, 100), got {depth}.")
        if not 0.0 < compression <= 1.0:
            raise ValueError(f"`compression` must lie in (0, 1], got {compression}.")
        self.stem_conv = stem_conv(in_channels, initial_channels, 3, padding=1)
        self.blocks = nn.Sequential()
        channels, num_latent = initial_channels, stem_conv.num_latent
        for number in (1, 2, 3):
            block = nn.Sequential()
            for layer in range(1, (depth - 4) // 6 + 1):
                dense_layer = DenseLayer(
                    bottleneck_conv,
                    growth_conv,
                    channels,
                    growth_rate,
                    bottleneck_width=bottleneck_width,
                    num_latent=num_latent,
                )
                block.add_module(f"layer{layer}", dense_layer)
                channels += growth_rate
            self.blocks.add_module(f"block{number}", block)
            if number < 3:
                kept = int(channels * compression)
                transition = chain(
                    bnorm=nn.BatchNorm2d(channels),
                    relu=nn.ReLU(inplace=True),
                    latent_average=average_before(transition_conv, num_latent),
                    conv=transition_conv(channels, kept, 1),
                    avgpool=nn.AvgPool2d(2),
                )
                self.blocks.add_module(f"transition{number}", transition)
                channels, num_latent = kept, latent_after(transition_conv, num_latent)
        self.head = chain(
            bnorm=nn.BatchNorm2d(channels),
            relu=nn.ReLU(inplace=True),
            global_avgpool=nn.AdaptiveAvgPool2d(1),
            latent_average=average(num_latent),
            flatten=nn.Flatten(),
            classifier=nn.Linear(channels, num_classes),
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        height, width = x_BCHW.shape[-2:]
        if min(height, width) < 4:
            raise ValueError(f"images must be at least 4 x 4, got {height} x {width}: DenseNetBC halves them twice.")
        logits_BK: torch.Tensor = self.head(self.blocks(self.stem_conv(x_BCHW)))
        return logits_BK


class DenseLayer(nn.Module):
    """Table 3: ``cat(x, way2(x))``.

    Args:
        bottleneck_conv, growth_conv, growth_rate, bottleneck_width: as in the network.
        in_channels: channels of the input; the output has ``growth_rate`` more.
        num_latent: latent positions of the input and of the output.
    """

    def __init__(
        self,
        bottleneck_conv: ConvFactory,
        growth_conv: ConvFactory,
        in_channels: int,
        growth_rate: int,
        *,
        bottleneck_width: int,
        num_latent: int,
    ) -> None:
        super().__init__()
        channels = bottleneck_width * growth_rate
        between = latent_after(bottleneck_conv, num_latent)
        if (created := latent_after(growth_conv, between)) != num_latent:
            raise ValueError(
                f"concatenated maps must have equally many latent positions, got {num_latent} and {created}; "
                "place the operator in `stem_conv` too."
            )
        self.way2 = chain(
            bnorm1=nn.BatchNorm2d(in_channels),
            relu1=nn.ReLU(inplace=True),
            latent_average1=average_before(bottleneck_conv, num_latent),
            conv1=bottleneck_conv(in_channels, channels, 1),
            bnorm2=nn.BatchNorm2d(channels),
            relu2=nn.ReLU(inplace=True),
            latent_average2=average_before(growth_conv, between),
            conv2=growth_conv(channels, growth_rate, 3, padding=1),
        )

    def forward(self, x_XCHW: torch.Tensor) -> torch.Tensor:
        return torch.cat([x_XCHW, self.way2(x_XCHW)], dim=1)
