"""Networks of torchvision with their first convolution made by a factory (Cui et al. 2024, Table 4 and Sec. 6.1)."""

from typing import Any, Literal, cast

import torch
from torch import nn

from convrepro.conv import ConvFactory
from convrepro.models.fastai_head import fastai_head
from convrepro.models.latent import average, chain

Architecture = Literal[
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_l",
    "googlenet",
    "mobilenet_v2",
    "regnet_x_400mf",
    "shufflenet_v2_x1_0",
    "vgg16",
]
_MIN_SIDE = {"densenet121": 29, "vgg16": 32}  # pixels; below it a pooling has nothing left to pool


class TorchvisionNetwork(nn.Module):
    """A network of ``torchvision.models`` whose first convolution is supplied from outside.

    The other layers, their initialisation and their dropout are torchvision's. The first convolution has the kernel,
    stride, padding and bias of the one that it replaces, and starts as its factory starts it. GoogLeNet has no
    auxiliary classifiers. DenseNet-121 may have fastai's head on its last batch normalisation: fastai leaves out the
    ReLU that torchvision has between. Latent positions of the first convolution are averaged behind fastai's pooling,
    else in the logits: where one linear layer ends the network, that is their average before it.

    Args:
        first_conv: the first convolution.
        architecture: torchvision's name of the network.
        head: ``torchvision``, the network's own classifier, or ``fastai`` (``fastai_head``).
        num_classes: outputs.
        in_channels: channels of the images.

    Shape:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, for H and W of at least 32 (``vgg16``), 29
        (``densenet121``) or 1.

    Raises:
        ValueError: if ``head`` is ``fastai`` and the network not DenseNet-121, or, in ``forward``, if the images are
            too small.
    """

    def __init__(
        self,
        first_conv: ConvFactory,
        *,
        architecture: Architecture,
        head: Literal["torchvision", "fastai"],
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        if head == "fastai" and architecture != "densenet121":
            raise ValueError(f"`head` must be 'torchvision' where `architecture` is not densenet121, got {head!r}.")
        self.architecture, self.has_fastai_head = architecture, head == "fastai"
        network = _network(architecture, num_classes)
        _replace_first_conv(network, first_conv, in_channels)
        if self.has_fastai_head:
            self.body = cast(nn.Module, network.features)
            num_features = cast(nn.Linear, network.classifier).in_features
            self.head = fastai_head(num_features, num_classes, num_latent=first_conv.num_latent)
        else:
            self.body = network
            self.head = chain(latent_average=average(first_conv.num_latent))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        least, (height, width) = _MIN_SIDE.get(self.architecture, 1), x_BCHW.shape[-2:]
        if min(height, width) < least:
            raise ValueError(
                f"images of {self.architecture} must be {least} x {least} or more, got {height} x {width}."
            )
        logits_BK: torch.Tensor = self.head(self.body(x_BCHW))
        return logits_BK

    def extra_repr(self) -> str:
        return f"architecture={self.architecture!r}"


def _network(architecture: Architecture, num_classes: int) -> nn.Module:
    from torchvision import models  # a second, which networks that are not torchvision's need not wait

    own: dict[str, Any] = {"aux_logits": False, "init_weights": True} if architecture == "googlenet" else {}
    network: nn.Module = models.get_model(architecture, weights=None, num_classes=num_classes, **own)
    return network


def _replace_first_conv(network: nn.Module, first_conv: ConvFactory, in_channels: int) -> None:
    """Puts a convolution of the factory in the place of the first one in order of definition, also of computation."""
    convs = ((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    path, plain = next(convs)
    parent, _, name = path.rpartition(".")
    made = first_conv(
        in_channels,
        plain.out_channels,
        cast(tuple[int, int], plain.kernel_size),
        stride=cast(tuple[int, int], plain.stride),
        padding=cast(tuple[int, int], plain.padding),
        bias=plain.bias is not None,
    )
    setattr(network.get_submodule(parent), name, made)
