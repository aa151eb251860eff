from typing import Any

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import OperatorLayer, operator_conv, plain_conv
from convrepro.models import ResNetImageNet, build, num_macs, num_operator_layers, num_parameters

IMAGENET = {"num_classes": 1000, "in_channels": 3, "image_size": [224, 224]}
PLAIN = plain_conv()
OPERATOR = operator_conv({"_target_": "torch.nn.Conv2d"})
ROLES = (
    "stem_conv",
    "conv1",
    "conv2",
    "downsizing_conv",
    "pointwise_conv",
    "shortcut_conv",
    "downsizing_shortcut_conv",
)


def _resnet(**changes: Any) -> ResNetImageNet:
    sizes = {"num_blocks": [1, 2, 1, 1], "widths": [4, 6, 8, 10], "num_classes": 3, "in_channels": 2}
    kind = {"block": "bottleneck", "stride_in": "3x3"}
    return ResNetImageNet(**{**dict.fromkeys(ROLES, PLAIN), **sizes, **kind, **changes})


def _on_meta(model: str, conv: str | dict[str, Any] = "standard") -> nn.Module:
    """The network without its numbers: sizes only."""
    with torch.device("meta"):
        return build(model=model, conv=conv, dataset=IMAGENET)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032), ("resnet101", 44_549_160)],
)
def test_every_tensor_has_the_shape_that_torchvision_gives_it(model: str, parameters: int) -> None:
    from torchvision import models  # convrepro makes it importable beside a torch for CPUs

    network = _on_meta(model)
    with torch.device("meta"):
        theirs = models.get_model(model)
    shapes, their_shapes = ([tensor.shape for tensor in one.state_dict().values()] for one in (network, theirs))
    assert shapes == their_shapes
    assert num_parameters(network) == num_parameters(theirs) == parameters


def test_the_convolution_with_the_stride_changes_no_number_of_parameters() -> None:
    assert num_parameters(_on_meta("resnet50_stride1x1")) == 25_557_032


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_the_same_weights_give_the_output_of_torchvision(block: str) -> None:
    from torchvision.models import resnet

    torch.manual_seed(0)
    their_block = resnet.BasicBlock if block == "basic" else resnet.Bottleneck
    theirs = resnet.ResNet(their_block, [1, 2, 1, 1], num_classes=3).double()
    ours = _resnet(block=block, widths=[64, 128, 256, 512], in_channels=3).double()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    images_BCHW = torch.randn(2, 3, 35, 42, dtype=torch.float64)
    torch.testing.assert_close(ours(images_BCHW), theirs(images_BCHW))
    torch.testing.assert_close(ours.eval()(images_BCHW), theirs.eval()(images_BCHW))  # running statistics too


def _macs_of_resnet50(*, stride_in_3x3: bool) -> int:
    """By hand, stage by stage: (width, image side after it, number of blocks)."""
    total = 7 * 7 * 3 * 64 * 112**2 + 2048 * 1000
    channels = 64
    for stage, (width, side, num_blocks) in enumerate([(64, 56, 3), (128, 28, 4), (256, 14, 6), (512, 7, 3)]):
        for block in range(num_blocks):
            halves = stage > 0 and block == 0
            side_of_first = 2 * side if halves and stride_in_3x3 else side
            total += channels * width * side_of_first**2 + 9 * width * width * side**2 + width * 4 * width * side**2
            total += channels * 4 * width * side**2 if block == 0 else 0
            channels = 4 * width
    return total


@pytest.mark.parametrize(
    ("model", "stride_in_3x3", "macs"),
    [("resnet50", True, 4_089_184_256), ("resnet50_stride1x1", False, 3_857_973_248)],
)
def test_macs_of_both_stride_conventions(model: str, stride_in_3x3: bool, macs: int) -> None:
    """4.09 G with the stride in the 3x3 convolution, 3.86 G with it in the first 1x1."""
    assert num_macs(_on_meta(model), (3, 224, 224)) == _macs_of_resnet50(stride_in_3x3=stride_in_3x3) == macs


@pytest.mark.parametrize("image_size", [(8, 8), (7, 5), (1, 1)])
def test_any_image_size(image_size: tuple[int, int]) -> None:
    assert _resnet().eval()(torch.randn(2, 2, *image_size)).shape == (2, 3)


@pytest.mark.parametrize(("block", "stride_in"), [("basic", "3x3"), ("bottleneck", "3x3"), ("bottleneck", "1x1")])
def test_downsizing_roles_are_the_convolutions_with_a_stride(block: str, stride_in: str) -> None:
    """The stem, and in stages 2 to 4 the first block's strided convolution and shortcut: seven layers."""
    downsizing = dict.fromkeys(("stem_conv", "downsizing_conv", "downsizing_shortcut_conv"), OPERATOR)
    network = _resnet(block=block, stride_in=stride_in, **downsizing)
    placed = [layer.operator for layer in network.modules() if isinstance(layer, OperatorLayer)]
    strided = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2)]
    assert placed == strided
    assert len(placed) == 7
    sides = [layer.kernel_size[0] for layer in placed]
    assert sides == [7] + 3 * [int(stride_in[0]), 1]


@pytest.mark.parametrize(
    ("model", "placed"),
    [
        ("resnet34", {"all": 33, "alternate": 17, "first": 1, "downsizing": 7}),  # the shortcuts' three stay plain
        ("resnet50", {"all": 17, "alternate": 17, "first": 1, "downsizing": 7}),
        ("resnet50_stride1x1", {"all": 17, "alternate": 17, "first": 1, "downsizing": 7}),
        ("resnet101", {"all": 34, "alternate": 34, "first": 1, "downsizing": 7}),
    ],
)
def test_number_of_operator_layers_of_each_placement(model: str, placed: dict[str, int]) -> None:
    placements = config_files.load("model", model)["placements"].keys() - {"none"}
    conv = config_files.load("conv", "standard")
    assert {one: num_operator_layers(_on_meta(model, {**conv, "placement": one})) for one in placements} == placed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_blocks": [1, 1, 1]}, r"must be those of 4 stages, got \[1, 1, 1\] and \[4, 6, 8, 10\]"),
        ({"num_blocks": [1, 0, 1, 1]}, "`num_blocks`, at least 1, and `widths` must be"),
        ({"widths": [4]}, r"must be those of 4 stages, got \[1, 2, 1, 1\] and \[4\]"),
        ({"block": "basic", "stride_in": "1x1"}, "`stride_in` must be '3x3' where `block` is 'basic'"),
    ],
)
def test_sizes_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _resnet(**changes)


def test_a_kind_of_block_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"`block` of model 'resnet18' must be 'basic' or 'bottleneck', got 'wide'"):
        build(model={**config_files.load("model", "resnet18"), "block": "wide"}, conv="standard", dataset=IMAGENET)
