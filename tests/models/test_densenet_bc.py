from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import operator_conv, plain_conv
from convrepro.models import DenseNetBC
from convrepro.models.latent import AverageLatent

PLAIN = plain_conv()
DK = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})


def _densenet(**changes: Any) -> DenseNetBC:
    roles = dict.fromkeys(("stem_conv", "bottleneck_conv", "growth_conv", "transition_conv"), PLAIN)
    sizes = {"depth": 16, "growth_rate": 3, "initial_channels": 6, "bottleneck_width": 4, "compression": 0.5}
    return DenseNetBC(**{**roles, **sizes, "num_classes": 3, "in_channels": 2, **changes})


@pytest.mark.parametrize("image_size", [(8, 8), (4, 4), (9, 6)])
def test_any_image_that_survives_the_poolings(image_size: tuple[int, int]) -> None:
    assert _densenet()(torch.randn(2, 2, *image_size)).shape == (2, 3)


def test_image_too_small() -> None:
    with pytest.raises(ValueError, match="images must be at least 4 x 4, got 8 x 3"):
        _densenet()(torch.randn(2, 2, 8, 3))


def test_number_of_layers_is_the_depth() -> None:
    layers = [layer for layer in _densenet(depth=40).modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == 40


def test_channels_of_densenet_bc_100_12() -> None:
    """Huang et al. 2017: 216, 300 and 342 channels before the transitions and the classifier."""
    network = _densenet(depth=100, growth_rate=12, initial_channels=24)
    bnorms = (network.blocks.transition1.bnorm, network.blocks.transition2.bnorm, network.head.bnorm)
    assert [bnorm.num_features for bnorm in bnorms] == [216, 300, 342]


@pytest.mark.parametrize("depth", [4, 41])
def test_depth_wrong(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"`depth` must be 6n \+ 4 \(40, 52, 100\), got {depth}\."):
        _densenet(depth=depth)


@pytest.mark.parametrize("compression", [0.0, 1.5])
def test_compression_out_of_range(compression: float) -> None:
    with pytest.raises(ValueError, match=rf"`compression` must lie in \(0, 1\], got {compression}"):
        _densenet(compression=compression)


def test_dk_in_the_first_layer_is_averaged_once() -> None:
    """Sec. 4.2, DK-CNN(OF)."""
    network = _densenet(stem_conv=DK)
    averages = [name for name, layer in network.named_modules() if isinstance(layer, AverageLatent)]
    assert averages == ["head.latent_average"]


@pytest.mark.parametrize(
    "roles",
    [("stem_conv", "growth_conv"), ("stem_conv", "bottleneck_conv", "growth_conv", "transition_conv")],
)
def test_any_roles_whose_maps_agree(roles: tuple[str, ...]) -> None:
    network = _densenet(**dict.fromkeys(roles, DK))
    assert network(torch.randn(2, 2, 8, 8)).shape == (2, 3)


def test_maps_that_differ_in_latent_positions() -> None:
    with pytest.raises(ValueError, match=r"equally many latent positions, got 1 and 6; place .* `stem_conv` too"):
        _densenet(growth_conv=DK)
