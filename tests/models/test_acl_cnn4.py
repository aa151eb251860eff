from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import operator_conv, plain_conv
from convrepro.models import AclCNN4, build, num_operator_layers, num_parameters

GREY = {"num_classes": 10, "in_channels": 1, "image_size": [28, 28]}
PLAIN = plain_conv()


def _network(*convs: Any, **changes: Any) -> AclCNN4:
    sizes = {"filters": [2, 3, 3, 4], "dropout": 0.5, "num_classes": 3, "in_channels": 2, "image_size": (8, 9)}
    return AclCNN4(*(convs or [PLAIN] * 4), **{**sizes, **changes})


def test_parameters() -> None:
    """9 (16 + 16 32 + 32 32 + 32 64) weights, 2 (16 + 32 + 32 + 64) of BN, 10 (64 3 3 + 1) of the classifier."""
    network = build(model="acl_cnn4", conv="standard", dataset=GREY)
    assert num_parameters(network) == 9 * (16 + 512 + 1024 + 2048) + 2 * 144 + 10 * 577 == 38_458


def test_all_four_convolutions_become_analytic() -> None:
    assert num_operator_layers(build(model="acl_cnn4", conv="acl", dataset=GREY)) == 4


def test_order_of_the_layers() -> None:
    network = _network()
    layers = [name for layer in network.layers for name, _ in layer.named_children()]
    pooled = ["conv", "bnorm", "relu", "maxpool"]
    assert layers == [*pooled, *pooled, *pooled[:3], *pooled]
    assert [name for name, _ in network.head.named_children()] == ["flatten", "dropout", "classifier"]
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.5]


@pytest.mark.parametrize("image_size", [(8, 8), (15, 9), (28, 28)])
def test_any_image_that_survives_the_poolings(image_size: tuple[int, int]) -> None:
    assert _network(image_size=image_size)(torch.randn(2, 2, *image_size)).shape == (2, 3)


@pytest.mark.parametrize("dynamic", [(0,), (1, 2), (3,), (0, 1, 2, 3)])
def test_latent_positions_end_before_the_classifier(dynamic: tuple[int, ...]) -> None:
    dk = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})
    network = _network(*(dk if number in dynamic else PLAIN for number in range(4)))
    assert network(torch.randn(2, 2, 8, 9)).shape == (2, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filters": [2, 3]}, r"`filters` must be those of 4 layers, got \[2, 3\]"),
        ({"image_size": (28, 7)}, r"`image_size` must be at least 8 x 8, got 28 x 7"),
        ({"dropout": -1.0}, "dropout probability"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _network(**changes)
