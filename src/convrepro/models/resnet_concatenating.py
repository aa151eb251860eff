"""ResNet whose shortcuts double the channels by repeating them (Tek, Çam, Karlı 2021, Sec. 4.3 and Table 1)."""

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.dropout import Dropout
from convrepro.models.latent import average, average_before, chain, latent_after
from convrepro.models.same_padding import SamePadding


class ResNetConcatenating(nn.Module):
    """A stem, stages of residual blocks of which all but the first halve the image, mean, linear classifier.

    Where the shape changes, the shortcut keeps every second row and column and concatenates the result with itself, so
    that it needs no parameters. Padding is Keras's 'same'. Latent positions are averaged before each convolution that
    creates its own, and before the classifier, which starts He-normal with biases of 0, as in the authors' code.

    Args:
        stem_conv: the first convolution.
        conv1, conv2: the convolutions of each block.
        downsizing_conv: takes the place of ``conv1`` in the blocks that halve the image, with stride 2.
        kernel_size: side of all convolutions, the first included; odd. The paper uses 3, 5 and 7.
        num_blocks: of each stage. The paper uses 1, 2 and 3, which makes 8, 14 and 20 layers.
        widths: channels of the stages, each twice those before. The paper starts with 16 and has three.
        dropout: probability of the dropout before the classifier, in [0, 1]. The paper has 0.5 on MNIST, else none.
        num_classes: outputs.
        in_channels: channels of the images.

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, for any H and W.

    Raises:
        ValueError: if ``kernel_size`` is even, ``num_blocks`` is not positive, ``widths`` do not double, ``dropout``
            lies outside [0, 1], or the two ways of a block differ in latent positions.

    Deviations:
        Table 1 prints a dropout of 0.5 for MNIST and none for the other sets, without a place: it stands before the
        classifier here, where the simple network has one. The authors' public code has 0.25 on MNIST, after each of the
        three stages and before the classifier; the number is the paper's, the place ours.
        Table 1 also prints 11 layers for one block a stage, which has 8: six in the blocks, stem and classifier.
    """

    def __init__(
        self,
        stem_conv: ConvFactory,
        conv1: ConvFactory,
        downsizing_conv: ConvFactory,
        conv2: ConvFactory,
        *,
        kernel_size: int,
        num_blocks: int,
        widths: Sequence[int],
        dropout: float,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd and positive, got {kernel_size}.")
        if num_blocks < 1:
            raise ValueError(f"`num_blocks` must be positive, got {num_blocks}.")
        if not widths or any(wide != 2 * narrow for narrow, wide in itertools.pairwise(widths)):
            raise ValueError(
                f"`widths` must double from stage to stage, got {list(widths)}: a shortcut repeats its input."
            )
        self.stem = chain(
            conv=stem_conv(in_channels, widths[0], kernel_size, padding=kernel_size // 2),
            bnorm=nn.BatchNorm2d(widths[0]),
            relu=nn.ReLU(inplace=True),
        )
        self.stages = nn.Sequential()
        num_latent = stem_conv.num_latent
        for stage, width in enumerate(widths, start=1):
            blocks = nn.Sequential()
            for number in range(1, num_blocks + 1):
                halves = stage > 1 and number == 1
                first = downsizing_conv if halves else conv1
                block = _Block(first, conv2, width, kernel_size, halves=halves, num_latent=num_latent)
                blocks.add_module(f"block{number}", block)
                num_latent = block.num_latent
            self.stages.add_module(f"stage{stage}", blocks)
        classifier = nn.Linear(widths[-1], num_classes)
        nn.init.kaiming_normal_(classifier.weight, nonlinearity="relu")
        nn.init.zeros_(classifier.bias)
        self.head = chain(
            global_avgpool=nn.AdaptiveAvgPool2d(1),
            latent_average=average(num_latent),
            flatten=nn.Flatten(),
            dropout=Dropout(dropout),
            classifier=classifier,
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(self.stages(self.stem(x_BCHW)))
        return logits_BK


class _Block(nn.Module):
    """``relu(shortcut(x) + residual(x))`` with batch normalisation after each convolution."""

    def __init__(
        self, conv1: ConvFactory, conv2: ConvFactory, width: int, kernel_size: int, *, halves: bool, num_latent: int
    ) -> None:
        super().__init__()
        after_conv1 = latent_after(conv1, num_latent)
        self.num_latent = latent_after(conv2, after_conv1)
        if self.num_latent != num_latent:
            raise ValueError(
                f"a block's two ways must have equally many latent positions, got {num_latent} on the shortcut and "
                f"{self.num_latent} on the residual path; place the operator in `stem_conv` too."
            )
        self.halves = halves
        in_channels = width // 2 if halves else width
        self.residual = chain(
            latent_average1=average_before(conv1, num_latent),
            pad1=SamePadding(kernel_size, 2) if halves else None,
            conv1=conv1(in_channels, width, kernel_size, stride=2)
            if halves
            else conv1(in_channels, width, kernel_size, padding=kernel_size // 2),
            bnorm1=nn.BatchNorm2d(width),
            relu1=nn.ReLU(inplace=True),
            latent_average2=average_before(conv2, after_conv1),
            conv2=conv2(width, width, kernel_size, padding=kernel_size // 2),
            bnorm2=nn.BatchNorm2d(width),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x_XCHW: torch.Tensor) -> torch.Tensor:
        y_XCHW: torch.Tensor = self.relu(self._shortcut(x_XCHW) + self.residual(x_XCHW))
        return y_XCHW

    def _shortcut(self, x_XCHW: torch.Tensor) -> torch.Tensor:
        if not self.halves:
            return x_XCHW
        every_second = x_XCHW[:, :, ::2, ::2]
        return torch.cat([every_second, every_second], dim=1)
