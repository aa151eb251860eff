"""LeNet-5, two convolutions and three linear layers (LeCun et al. 1998; Cui et al. 2024, Fig. 5a and Fig. 6)."""

from collections.abc import Sequence

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average, average_before, chain, latent_after

_FIELD = 32  # pixels a side that LeNet-5 sees (LeCun et al. 1998, Sec. II-B)


class LeNet(nn.Module):
    """Two 5x5 convolutions, each with bias, ReLU and a max-pool, and three linear layers with ReLU between them.

    Images that are smaller than 32 x 32 pixels are padded to that size by the first convolution, as LeNet-5 has it for
    MNIST; there is no other padding. Latent positions are averaged before the second convolution if it creates its own,
    and before the last max-pool. The linear layers start as torch has them.

    Args:
        conv1, conv2: the convolutions, which the ACL paper replaces both.
        filters: output channels of the two. LeNet-5 has 6 and 16.
        hidden: units of the two hidden linear layers. LeNet-5 has 120 and 84.
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width of the images in pixels.

    Shape:
        ``(B, in_channels, *image_size)`` to ``(B, num_classes)``.

    Raises:
        ValueError: if there are not two ``filters`` and two ``hidden``.

    Deviations:
        The ACL paper says "a standard LeNet" with two convolutions and prints no sizes: these are LeNet-5's. LeNet-5
        has scaled tanh, trainable mean pooling, and connects some maps only; ReLU, max-pool and all connections are
        what is commonly called LeNet with ten classes today, and what comes near the paper's 73.48 % on CIFAR-10. Its
        96.02 % on MNIST is below what either variant reaches; that its training was short is one explanation.
    """

    def __init__(
        self,
        conv1: ConvFactory,
        conv2: ConvFactory,
        *,
        filters: Sequence[int],
        hidden: Sequence[int],
        num_classes: int,
        in_channels: int,
        image_size: Sequence[int],
    ) -> None:
        super().__init__()
        if len(filters) != 2 or len(hidden) != 2:
            raise ValueError(f"`filters` and `hidden` must have 2 numbers each, got {list(filters)}, {list(hidden)}.")
        padding_height, padding_width = ((max(_FIELD - side, 0) + 1) // 2 for side in image_size)
        height, width = image_size[0] + 2 * padding_height, image_size[1] + 2 * padding_width
        num_latent1 = conv1.num_latent
        self.layer1 = chain(
            conv1=conv1(in_channels, filters[0], 5, padding=(padding_height, padding_width), bias=True),
            relu=nn.ReLU(inplace=True),
            latent_average=average_before(conv2, num_latent1),
            maxpool=nn.MaxPool2d(2),
        )
        self.layer2 = chain(
            conv2=conv2(filters[0], filters[1], 5, bias=True),
            relu=nn.ReLU(inplace=True),
            latent_average=average(latent_after(conv2, num_latent1)),
            maxpool=nn.MaxPool2d(2),
        )
        left_height, left_width = (((side - 4) // 2 - 4) // 2 for side in (height, width))
        self.head = chain(
            flatten=nn.Flatten(),
            hidden1=nn.Linear(filters[1] * left_height * left_width, hidden[0]),
            relu1=nn.ReLU(inplace=True),
            hidden2=nn.Linear(hidden[0], hidden[1]),
            relu2=nn.ReLU(inplace=True),
            classifier=nn.Linear(hidden[1], num_classes),
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(self.layer2(self.layer1(x_BCHW)))
        return logits_BK
