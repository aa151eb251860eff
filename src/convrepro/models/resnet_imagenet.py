"""ResNet and ResNeXt for large images (He et al. 2016, https://arxiv.org/abs/1512.03385, Table 1; Xie et al. 2017,
https://arxiv.org/abs/1611.05431, Table 1)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.fastai_head import fastai_head
from convrepro.models.latent import average, chain
from convrepro.models.residual import ConvLayer, ResidualBlock

_EXPANSION = 4  # a bottleneck's last 1x1 convolution has four times the channels of its stage (Table 1)
_RESNET_WIDTH = 64  # channels of the 3x3 convolution of a bottleneck of stage 1, which `width_per_group` replaces


class ResNetImageNet(nn.Module):
    """A 7x7 stem and max-pool, four stages of residual blocks, mean, linear classifier.

    Stem, max-pool and the first blocks of stages 2 to 4 halve the image. Without max-pool the first block of stage 1
    does it instead (Kobayashi 2023, Fig. 5c). Latent positions are averaged before each convolution that creates its
    own, and before the classifier. BN starts at weight 1 and bias 0, the linear layer as torch has it, uniform within
    1/sqrt(inputs) of 0.

    Args:
        stem_conv: the first convolution, 7x7 with stride 2.
        conv1: the first 3x3 convolution of each basic block; bottleneck blocks have none.
        conv2: the other 3x3 convolution of each basic block, the 3x3 convolution of each bottleneck block.
        pointwise_conv: the two 1x1 convolutions of each bottleneck block; basic blocks have none.
        shortcut_conv: the 1x1 convolution of a shortcut that changes the number of channels only.
        downsizing1_conv, downsizing2_conv, downsizing3_conv, downsizing4_conv: the convolution of the residual path of
            that stage that has stride 2; stage 1 has one without a max-pool only.
        downsizing1_shortcut, downsizing2_shortcut, downsizing3_shortcut, downsizing4_shortcut: the 1x1 convolution of
            the shortcut beside it, which has stride 2 too.
        block: ``basic``, two 3x3 convolutions, or ``bottleneck``, 1x1, 3x3, 1x1 (Fig. 5).
        num_blocks: number of blocks of each of the four stages.
        widths: channels of each stage; a bottleneck stage puts out four times as many.
        stride_in: the convolution that halves the image in a bottleneck block: ``1x1``, the first one, as He et al.
            have it, or ``3x3``, as torchvision has it ("v1.5"). In a basic block it is a 3x3 convolution.
        num_classes: outputs.
        in_channels: channels of the images.
        groups: of the 3x3 convolutions of bottleneck blocks, the cardinality of a ResNeXt; 1 is a ResNet.
        width_per_group: channels of each of these groups in stage 1, in the stages in proportion to their widths.
        maxpool: whether there is one behind the stem.
        head: ``linear``, or ``fastai`` in the place of mean and classifier (``fastai_head``).

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, for any H and W.

    Raises:
        ValueError: if there are not four stages of at least one block, if a basic block shall halve the image in a 1x1
            convolution or shall have groups, or if the two ways of a block differ in latent positions.

    Deviations:
        Fig. 5c shows the residual block that halves the image in the place of the max-pool, and does not say with
        how many channels: here they are those of stage 1. In a basic block its shortcut then has a convolution,
        which that of He et al. has not.
    """

    def __init__(
        self,
        stem_conv: ConvFactory,
        conv1: ConvFactory,
        conv2: ConvFactory,
        pointwise_conv: ConvFactory,
        shortcut_conv: ConvFactory,
        downsizing1_conv: ConvFactory,
        downsizing2_conv: ConvFactory,
        downsizing3_conv: ConvFactory,
        downsizing4_conv: ConvFactory,
        downsizing1_shortcut: ConvFactory,
        downsizing2_shortcut: ConvFactory,
        downsizing3_shortcut: ConvFactory,
        downsizing4_shortcut: ConvFactory,
        *,
        block: Literal["basic", "bottleneck"],
        num_blocks: Sequence[int],
        widths: Sequence[int],
        stride_in: Literal["1x1", "3x3"],
        num_classes: int,
        in_channels: int,
        groups: int = 1,
        width_per_group: int = _RESNET_WIDTH,
        maxpool: bool = True,
        head: Literal["linear", "fastai"] = "linear",
    ) -> None:
        super().__init__()
        if not len(num_blocks) == len(widths) == 4 or min(num_blocks) < 1:
            raise ValueError(
                "`num_blocks`, at least 1, and `widths` must be those of 4 stages, "
                f"got {list(num_blocks)} and {list(widths)}."
            )
        if block == "basic" and stride_in == "1x1":
            raise ValueError("`stride_in` must be '3x3' where `block` is 'basic': its convolutions are 3x3.")
        if block == "basic" and (groups, width_per_group) != (1, _RESNET_WIDTH):
            raise ValueError(
                f"`groups` and `width_per_group` must be 1 and {_RESNET_WIDTH} where `block` is 'basic', "
                f"got {groups} and {width_per_group}."
            )
        self.has_fastai_head = head == "fastai"
        self.is_torchvisions = maxpool and stride_in == "3x3"  # whether torchvision's weights give its function
        strided = 1 if block == "bottleneck" and stride_in == "3x3" else 0  # which layer of a block that halves
        downsizing = [
            (downsizing1_conv, downsizing1_shortcut),
            (downsizing2_conv, downsizing2_shortcut),
            (downsizing3_conv, downsizing3_shortcut),
            (downsizing4_conv, downsizing4_shortcut),
        ]
        self.stem = chain(
            conv=stem_conv(in_channels, widths[0], 7, stride=2, padding=3),
            bnorm=nn.BatchNorm2d(widths[0]),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, stride=2, padding=1) if maxpool else None,
        )
        self.stages = nn.Sequential()
        channels, num_latent = widths[0], stem_conv.num_latent
        for stage, (width, num_stage_blocks) in enumerate(zip(widths, num_blocks, strict=True), start=1):
            blocks = nn.Sequential()
            for number in range(1, num_stage_blocks + 1):
                if block == "basic":
                    layers = [_layer(conv1, width, 3), _layer(conv2, width, 3)]
                else:
                    inner = width * width_per_group // _RESNET_WIDTH * groups
                    layers = [
                        _layer(pointwise_conv, inner, 1),
                        _layer(conv2, inner, 3, groups=groups),
                        _layer(pointwise_conv, _EXPANSION * width, 1),
                    ]
                on_shortcut = shortcut_conv
                if number == 1 and (stage > 1 or not maxpool):
                    on_residual, on_shortcut = downsizing[stage - 1]
                    layers[strided] = replace(layers[strided], conv=on_residual, stride=2)
                residual_block = ResidualBlock(layers, on_shortcut, channels, num_latent=num_latent)
                blocks.add_module(f"block{number}", residual_block)
                channels, num_latent = layers[-1].out_channels, residual_block.num_latent
            self.stages.add_module(f"stage{stage}", blocks)
        if self.has_fastai_head:
            self.head = fastai_head(channels, num_classes, num_latent=num_latent)
        else:
            self.head = chain(
                global_avgpool=nn.AdaptiveAvgPool2d(1),
                latent_average=average(num_latent),
                flatten=nn.Flatten(),
                classifier=nn.Linear(channels, num_classes),
            )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(self.stages(self.stem(x_BCHW)))
        return logits_BK


def _layer(conv: ConvFactory, out_channels: int, kernel_size: int, *, groups: int = 1) -> ConvLayer:
    return ConvLayer(conv=conv, out_channels=out_channels, kernel_size=kernel_size, groups=groups)
