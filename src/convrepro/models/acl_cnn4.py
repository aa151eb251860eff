"""The four-layer network of ACL, four convolutions and a linear layer (Cui et al. 2024, Sec. 4.2 and Fig. 5b)."""

from collections.abc import Sequence

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.dropout import Dropout
from convrepro.models.latent import average, average_before, chain, latent_after

_POOLED = (1, 2, 4)  # layers that a max-pool follows


class AclCNN4(nn.Module):
    """Four 3x3 convolutions with BN and ReLU, max-pool after all but the third, dropout, linear classifier.

    Latent positions are averaged before each convolution that creates its own, and before the last max-pool. BN starts
    at weight 1 and bias 0, the linear layer as torch has it.

    Args:
        conv1, conv2, conv3, conv4: the convolutions, which the paper replaces all; they keep the size of the images.
        filters: output channels of the four.
        dropout: probability of the dropout before the classifier, in [0, 1].
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width of the images in pixels, each at least 8.

    Shape:
        ``(B, in_channels, *image_size)`` to ``(B, num_classes)``.

    Raises:
        ValueError: if there are not four ``filters``, ``dropout`` lies outside [0, 1], or nothing would be left of the
            images after three poolings.

    Deviations:
        The paper prints that there are four convolutional layers and nothing else: "Other network modules omitted for
        simplicity". Everything here is our choice. Batch normalisation follows each convolution because analytic
        kernels have no amplitude of their own; the early max-pool keeps the network cheap.
    """

    def __init__(
        self,
        conv1: ConvFactory,
        conv2: ConvFactory,
        conv3: ConvFactory,
        conv4: ConvFactory,
        *,
        filters: Sequence[int],
        dropout: float,
        num_classes: int,
        in_channels: int,
        image_size: Sequence[int],
    ) -> None:
        super().__init__()
        height, width = image_size
        if len(filters) != 4:
            raise ValueError(f"`filters` must be those of 4 layers, got {list(filters)}.")
        if min(height, width) < 8:
            raise ValueError(f"`image_size` must be at least 8 x 8, got {height} x {width}: it is halved three times.")
        convs = (conv1, conv2, conv3, conv4)
        channels, num_latent = in_channels, 1
        self.layers = nn.Sequential()
        for number, (conv, width_out) in enumerate(zip(convs, filters, strict=True), start=1):
            num_latent = latent_after(conv, num_latent)
            is_last = number == len(convs)
            layer = chain(
                conv=conv(channels, width_out, 3, padding=1),
                bnorm=nn.BatchNorm2d(width_out),
                relu=nn.ReLU(inplace=True),
                latent_average=average(num_latent) if is_last else average_before(convs[number], num_latent),
                maxpool=nn.MaxPool2d(2) if number in _POOLED else None,
            )
            self.layers.add_module(f"layer{number}", layer)
            channels = width_out
        self.head = chain(
            flatten=nn.Flatten(),
            dropout=Dropout(dropout),
            classifier=nn.Linear(channels * (height // 8) * (width // 8), num_classes),
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.head(self.layers(x_BCHW))
        return logits_BK
