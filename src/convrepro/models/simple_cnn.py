"""The simple network of ACONV, two convolutions and a hidden layer (Tek, Çam, Karlı 2021, Sec. 4.2)."""

from collections.abc import Sequence

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.dropout import Dropout
from convrepro.models.latent import average, average_before, chain, latent_after


class SimpleCNN(nn.Module):
    """Two convolutions with BN and ReLU, max-pool, and a hidden layer with BN and ReLU between two dropouts.

    Latent positions are averaged before each convolution that creates its own, and else before the max-pool.
    As in the authors' code, the linear layers start He-uniform with biases of 0, and BN, from weight 1 and bias 0, has
    Keras's constants: 1e-3 beside the variance, and 0.99 of the running statistics kept at each step.

    Args:
        conv1, conv2: the convolutions; they keep the size of the images.
        kernel_size: side of both, odd. The paper uses 3, 5, 7 and 9.
        filters: output channels of each. The paper uses 32.
        hidden: units of the hidden layer. The paper uses 256.
        dropout: probability of each dropout, in [0, 1]. The paper uses 0.5.
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width of the images in pixels, each at least 2.

    Shape:
        ``(B, in_channels, *image_size)`` to ``(B, num_classes)``.

    Raises:
        ValueError: if ``kernel_size`` is even, if ``dropout`` lies outside [0, 1], or if nothing would be left of the
            images after the pooling.
    """

    def __init__(
        self,
        conv1: ConvFactory,
        conv2: ConvFactory,
        *,
        kernel_size: int,
        filters: int,
        hidden: int,
        dropout: float,
        num_classes: int,
        in_channels: int,
        image_size: Sequence[int],
    ) -> None:
        super().__init__()
        height, width = image_size
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd and positive, got {kernel_size}: the images keep their size.")
        if min(height, width) < 2:
            raise ValueError(f"`image_size` must be at least 2 x 2, got {height} x {width}: SimpleCNN halves it.")
        num_latent1 = conv1.num_latent
        num_latent2 = latent_after(conv2, num_latent1)
        self.layer1 = chain(
            conv1=conv1(in_channels, filters, kernel_size, padding=kernel_size // 2),
            bnorm1=nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01),
            relu=nn.ReLU(inplace=True),
            latent_average=average_before(conv2, num_latent1),
        )
        self.layer2 = chain(
            conv2=conv2(filters, filters, kernel_size, padding=kernel_size // 2),
            bnorm2=nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01),
            relu=nn.ReLU(inplace=True),
            latent_average=average(num_latent2),
            maxpool=nn.MaxPool2d(2),
        )
        self.head = chain(
            flatten=nn.Flatten(),
            dropout1=Dropout(dropout),
            hidden=nn.Linear(filters * (height // 2) * (width // 2), hidden),
            bnorm=nn.BatchNorm1d(hidden, eps=1e-3, momentum=0.01),
            relu=nn.ReLU(inplace=True),
            dropout2=Dropout(dropout),
            classifier=nn.Linear(hidden, num_classes),
        )
        for layer in self.head:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(self.layer2(self.layer1(x_BCHW)))
        return logits_BK
