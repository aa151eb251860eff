from typing import Any

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import operator_conv, plain_conv
from convrepro.models import ResNetConcatenating, build, num_operator_layers, num_parameters

PLAIN = plain_conv()
DK = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})
GREY = {"num_classes": 10, "in_channels": 1, "image_size": [28, 28]}
COLOUR = {"num_classes": 10, "in_channels": 3, "image_size": [32, 32]}
ROLES = ("stem_conv", "conv1", "downsizing_conv", "conv2")


def _resnet(**changes: Any) -> ResNetConcatenating:
    roles = dict.fromkeys(ROLES, PLAIN)
    sizes = {"kernel_size": 3, "num_blocks": 1, "widths": [2, 4, 8], "dropout": 0.0, "num_classes": 3, "in_channels": 2}
    return ResNetConcatenating(**{**roles, **sizes, **changes})


@pytest.mark.parametrize(
    ("name", "dataset", "kernel_size", "standard", "adaptive"),
    [
        ("aconv_resnet8", GREY, 3, 75_002, 75_242),
        ("aconv_resnet8", GREY, 5, 206_330, 206_570),
        ("aconv_resnet8", GREY, 7, 403_322, 403_562),
        ("aconv_resnet14", GREY, 3, 172_218, 172_682),
        ("aconv_resnet14", GREY, 5, 475_578, 476_042),
        ("aconv_resnet14", GREY, 7, 930_618, 931_082),
        ("aconv_resnet20", COLOUR, 3, 269_722, 270_410),
        ("aconv_resnet20", COLOUR, 5, 745_626, 746_314),
        ("aconv_resnet20", COLOUR, 7, 1_459_482, 1_460_170),
    ],
)
def test_parameters_of_the_authors_network(
    name: str, dataset: dict[str, Any], kernel_size: int, standard: int, adaptive: int
) -> None:
    model = {**config_files.load("model", name), "kernel_size": kernel_size}
    networks = {conv: build(model=model, conv=conv, dataset=dataset) for conv in ("standard", "aconv")}
    assert {conv: num_parameters(network) for conv, network in networks.items()} == {
        "standard": standard,
        "aconv": adaptive,
    }
    depth = int(name.removeprefix("aconv_resnet"))
    assert num_operator_layers(networks["aconv"]) == depth - 1  # all but the classifier


def test_forward_is_that_of_the_equations() -> None:
    """Two blocks on 4 x 4 images: a shortcut without parameters, and padding (0, 1) before the stride of 2."""
    torch.manual_seed(0)
    network = _resnet(widths=[2, 4]).double().eval()
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    conv = nn.functional.conv2d
    one, two = network.stages.stage1.block1.residual, network.stages.stage2.block1.residual
    y = network.stem.bnorm(conv(x, network.stem.conv.weight, padding=1)).relu()
    inner = one.bnorm1(conv(y, one.conv1.weight, padding=1)).relu()
    y = (y + one.bnorm2(conv(inner, one.conv2.weight, padding=1))).relu()
    inner = two.bnorm1(conv(nn.functional.pad(y, (0, 1, 0, 1)), two.conv1.weight, stride=2)).relu()
    pooled = nn.functional.max_pool2d(y, 1, stride=2)
    y = (torch.cat([pooled, pooled], dim=1) + two.bnorm2(conv(inner, two.conv2.weight, padding=1))).relu()
    expected = y.mean(dim=(2, 3)) @ network.head.classifier.weight.T + network.head.classifier.bias
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize("image_size", [(1, 1), (7, 6), (28, 28)])
@pytest.mark.parametrize("kernel_size", [1, 3, 7])
def test_any_image(image_size: tuple[int, int], kernel_size: int) -> None:
    network = _resnet(kernel_size=kernel_size).eval()
    assert network(torch.randn(2, 2, *image_size)).shape == (2, 3)


def test_constants_of_the_authors_code() -> None:
    """Keras's momentum 0.9 is what is kept, 0.1 here what is taken; a dropout stands before the classifier only."""
    network = _resnet(dropout=0.25)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.25]
    assert [name for name, _ in network.head.named_children()][-2:] == ["dropout", "classifier"]
    assert not network.head.classifier.bias.any()


def test_classifier_starts_he_normal() -> None:
    """64 inputs: deviation sqrt(2 / 64) = 0.177; of 64,000 weights it is met within 1 %."""
    torch.manual_seed(0)
    network = _resnet(widths=[16, 32, 64], num_classes=1000)
    assert network.head.classifier.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.01)


def test_latent_positions_go_through_the_shortcut() -> None:
    network = _resnet(stem_conv=DK, conv2=DK)
    assert network(torch.randn(2, 2, 8, 8)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"equally many latent positions, got 1 on the shortcut and 6 on the residual"):
        _resnet(conv2=DK)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_size": 4}, r"`kernel_size` must be odd and positive, got 4"),
        ({"num_blocks": 0}, r"`num_blocks` must be positive, got 0"),
        ({"widths": [2, 4, 7]}, r"`widths` must double from stage to stage, got \[2, 4, 7\]"),
        ({"widths": []}, r"`widths` must double from stage to stage, got \[\]"),
        ({"dropout": 1.5}, r"dropout probability"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _resnet(**changes)
