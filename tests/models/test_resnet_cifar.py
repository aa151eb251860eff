from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import DynamicKernelConv2d, operator_conv, plain_conv
from convrepro.models import ResNetCifar
from convrepro.models.latent import AverageLatent

PLAIN = plain_conv()
DK = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})


def _resnet(**changes: Any) -> ResNetCifar:
    roles = dict.fromkeys(("stem_conv", "conv1", "downsizing_conv", "conv2", "shortcut_conv"), PLAIN)
    sizes = {"depth": 8, "widths": [4, 6, 8], "num_classes": 3, "in_channels": 2}
    return ResNetCifar(**{**roles, **sizes, **changes})


@pytest.mark.parametrize("image_size", [(8, 8), (7, 5), (1, 1)])
def test_any_image_size(image_size: tuple[int, int]) -> None:
    assert _resnet().eval()(torch.randn(2, 2, *image_size)).shape == (2, 3)


@pytest.mark.parametrize("depth", [20, 32])
def test_number_of_layers_is_the_depth(depth: int) -> None:
    """Shortcuts do not count (He et al. 2016, Sec. 4.2)."""
    network = _resnet(depth=depth)
    layers = {name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)}
    assert len([name for name in layers if "shortcut" not in name]) == depth
    assert {name for name in layers if "shortcut" in name} == {
        "stages.stage2.block1.shortcut.conv",
        "stages.stage3.block1.shortcut.conv",
    }


@pytest.mark.parametrize("depth", [2, 14 + 1, 18])
def test_depth_wrong(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"`depth` must be 6n \+ 2 \(20, 32, 44, 56, 110\), got {depth}\."):
        _resnet(depth=depth)


def test_widths_wrong() -> None:
    with pytest.raises(ValueError, match=r"`widths` must be those of 3 stages, got \[16, 32\]"):
        _resnet(widths=[16, 32])


def test_dk_in_the_first_layer_is_averaged_once() -> None:
    """Sec. 4.2, DK-CNN(OF)."""
    network = _resnet(stem_conv=DK)
    averages = [name for name, layer in network.named_modules() if isinstance(layer, AverageLatent)]
    assert averages == ["head.latent_average"]


@pytest.mark.parametrize(
    "roles",
    [
        ("stem_conv", "conv2"),
        ("stem_conv", "conv1"),
        ("downsizing_conv", "shortcut_conv"),
        ("stem_conv", "conv1", "downsizing_conv", "conv2", "shortcut_conv"),
    ],
)
def test_any_roles_whose_two_ways_agree(roles: tuple[str, ...]) -> None:
    network = _resnet(**dict.fromkeys(roles, DK))
    assert network(torch.randn(2, 2, 8, 8)).shape == (2, 3)


def test_downsizing_convolutions_are_those_with_a_stride() -> None:
    network = _resnet(downsizing_conv=DK, shortcut_conv=DK)
    strides = {
        name.removesuffix(".operator"): layer.stride
        for name, layer in network.named_modules()
        if isinstance(layer, DynamicKernelConv2d)
    }
    assert strides == {
        f"stages.stage{stage}.block1.{layer}": (2, 2)
        for stage in (2, 3)
        for layer in ("residual.conv1", "shortcut.conv")
    }
    assert {layer.stride for layer in network.modules() if isinstance(layer, nn.Conv2d)} == {(1, 1)}


def test_two_ways_that_differ_in_latent_positions() -> None:
    message = "equally many latent positions, got 1 on the shortcut and 6 on the residual path"
    with pytest.raises(ValueError, match=message):
        _resnet(conv2=DK)
