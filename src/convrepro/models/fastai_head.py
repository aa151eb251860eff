"""The classifier that fastai puts on a network's features (Howard et al. 2018, https://github.com/fastai/fastai)."""

import torch
from torch import nn

from convrepro.models.dropout import Dropout
from convrepro.models.latent import average, chain

_HIDDEN = 512  # this and the rest: `create_head` of fastai/vision/learner.py with its own defaults
_DROPOUT = 0.5  # before the last layer, and half of it before the first
_BATCH_NORM_BIAS = 1e-3  # at the start


class ConcatenatedPools(nn.Module):
    """Maximum and mean of each channel, in this order: ``(B, C, H, W)`` to ``(B, 2 C, 1, 1)``."""

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return torch.cat([x_BCHW.amax(dim=(2, 3), keepdim=True), x_BCHW.mean(dim=(2, 3), keepdim=True)], dim=1)


def fastai_head(num_features: int, num_classes: int, *, num_latent: int = 1) -> nn.Sequential:
    """Maximum and mean over the image, batch normalisation, dropout, and a hidden layer of 512 units with ReLU.

    Both linear layers, without bias, follow a batch normalisation and a dropout: of 0.25, then of 0.5. They start
    as N(0, 2 / inputs), batch normalisation at weight 1 and bias 0.001, as fastai has them.

    Args:
        num_features: channels C of the features.
        num_classes: outputs.
        num_latent: latent positions of the features, which are averaged behind the pooling.

    Shape:
        ``(B * num_latent, num_features, H, W)`` to ``(B, num_classes)``.
    """
    head = chain(
        pools=ConcatenatedPools(),
        latent_average=average(num_latent),
        flatten=nn.Flatten(),
        bnorm1=nn.BatchNorm1d(2 * num_features),
        dropout1=Dropout(_DROPOUT / 2),
        hidden=nn.Linear(2 * num_features, _HIDDEN, bias=False),
        relu=nn.ReLU(inplace=True),
        bnorm2=nn.BatchNorm1d(_HIDDEN),
        dropout2=Dropout(_DROPOUT),
        classifier=nn.Linear(_HIDDEN, num_classes, bias=False),
    )
    for layer in head:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, nn.BatchNorm1d):
            nn.init.constant_(layer.bias, _BATCH_NORM_BIAS)
    return head
