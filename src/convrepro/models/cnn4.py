"""CNN4, four 3x3 convolutions and a linear layer (DK-CNN, Sec. 4.2, Table 4)."""

from collections.abc import Sequence

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.latent import average, average_before, chain, latent_after


class CNN4(nn.Module):
    """Table 4: four convolutions with BN and ReLU, max-pool after the second and third, linear classifier.

    Latent positions are averaged before each convolution that creates its own, there also before the
    max-pool, and before the classifier. BN starts at weight 1 and bias 0, the linear layer as torch has it,
    uniform within 1/sqrt(inputs) of 0: the paper names nothing else.

    Args:
        conv1, conv2, conv3, conv4: the 3x3 convolutions.
        filters: output channels of each convolution. The paper uses 64.
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width of the images in pixels, each at least 4.

    Shape:
        ``(B, in_channels, *image_size)`` to ``(B, num_classes)``.

    Raises:
        ValueError: if nothing would be left of the images after two poolings.
    """

    def __init__(
        self,
        conv1: ConvFactory,
        conv2: ConvFactory,
        conv3: ConvFactory,
        conv4: ConvFactory,
        *,
        filters: int,
        num_classes: int,
        in_channels: int,
        image_size: Sequence[int],
    ) -> None:
        super().__init__()
        height, width = image_size
        if min(height, width) < 4:
            raise ValueError(f"`image_size` must be at least 4 x 4, got {height} x {width}: CNN4 halves it twice.")
        num_latent = [conv1.num_latent]
        for conv in (conv2, conv3, conv4):
            num_latent.append(latent_after(conv, num_latent[-1]))
        self.layer1 = chain(
            conv1=conv1(in_channels, filters, 3, padding=1),
            bnorm1=nn.BatchNorm2d(filters),
            relu=nn.ReLU(inplace=True),
            latent_average=average_before(conv2, num_latent[0]),
        )
        self.layer2 = chain(
            conv2=conv2(filters, filters, 3, padding=1),
            bnorm2=nn.BatchNorm2d(filters),
            relu=nn.ReLU(inplace=True),
            latent_average=average_before(conv3, num_latent[1]),
            maxpool=nn.MaxPool2d(2),
        )
        self.layer3 = chain(
            conv3=conv3(filters, filters, 3, padding=1),
            bnorm3=nn.BatchNorm2d(filters),
            relu=nn.ReLU(inplace=True),
            latent_average=average_before(conv4, num_latent[2]),
            maxpool=nn.MaxPool2d(2),
        )
        self.layer4 = chain(
            conv4=conv4(filters, filters, 3, padding=1),
            bnorm4=nn.BatchNorm2d(filters),
            relu=nn.ReLU(inplace=True),
            latent_average=average(num_latent[3]),
        )
        self.classifier = nn.Linear(filters * (height // 4) * (width // 4), num_classes)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        features_BCHW = self.layer4(self.layer3(self.layer2(self.layer1(x_BCHW))))
        logits_BK: torch.Tensor = self.classifier(features_BCHW.flatten(1))
        return logits_BK
