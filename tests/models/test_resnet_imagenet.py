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
DOWNSIZING = [f"downsizing{stage}_{way}" for stage in (1, 2, 3, 4) for way in ("conv", "shortcut")]
ROLES = ("stem_conv", "conv1", "conv2", "pointwise_conv", "shortcut_conv", *DOWNSIZING)


def _resnet(**changes: Any) -> ResNetImageNet:
    sizes = {"num_blocks": [1, 2, 1, 1], "widths": [4, 6, 8, 10], "num_classes": 3, "in_channels": 2}
    kind = {"block": "bottleneck", "stride_in": "3x3"}
    return ResNetImageNet(**{**dict.fromkeys(ROLES, PLAIN), **sizes, **kind, **changes})


def _on_meta(model: str, conv: str | dict[str, Any] = "standard") -> nn.Module:
    """The network without its numbers: sizes only."""
    with torch.device("meta"):
        return build(model=model, conv=conv, dataset=IMAGENET)


@pytest.mark.parametrize(
    ("model", "theirs", "parameters"),
    [
        ("resnet18", "resnet18", 11_689_512),
        ("resnet34", "resnet34", 21_797_672),
        ("resnet50", "resnet50", 25_557_032),
        ("resnet101", "resnet101", 44_549_160),
        ("resnext50", "resnext50_32x4d", 25_028_904),
        ("resnet50_no_maxpool", "resnet50", 25_557_032),  # stage 1 has a shortcut with a convolution anyway
        ("resnext50_no_maxpool", "resnext50_32x4d", 25_028_904),
    ],
)
def test_every_tensor_has_the_shape_that_torchvision_gives_it(model: str, theirs: str, parameters: int) -> None:
    from torchvision import models  # convrepro makes it importable beside a torch for CPUs

    network = _on_meta(model)
    with torch.device("meta"):
        reference = models.get_model(theirs)
    shapes, their_shapes = ([tensor.shape for tensor in one.state_dict().values()] for one in (network, reference))
    assert shapes == their_shapes
    assert num_parameters(network) == num_parameters(reference) == parameters


def test_a_basic_block_in_the_place_of_the_maxpool_needs_a_shortcut() -> None:
    """Its 1x1 convolution of 64 x 64 channels, and the 2 x 64 of a batch normalisation."""
    assert num_parameters(_on_meta("resnet34_no_maxpool")) == 21_797_672 + 64 * 64 + 2 * 64


def test_the_convolution_with_the_stride_changes_no_number_of_parameters() -> None:
    assert num_parameters(_on_meta("resnet50_stride1x1")) == 25_557_032


@pytest.mark.parametrize(
    ("block", "groups", "width_per_group"), [("basic", 1, 64), ("bottleneck", 1, 64), ("bottleneck", 4, 8)]
)
def test_the_same_weights_give_the_output_of_torchvision(block: str, groups: int, width_per_group: int) -> None:
    from torchvision.models import resnet

    torch.manual_seed(0)
    their_block = resnet.BasicBlock if block == "basic" else resnet.Bottleneck
    kind = {"groups": groups, "width_per_group": width_per_group}
    theirs = resnet.ResNet(their_block, [1, 2, 1, 1], num_classes=3, **kind).double()
    ours = _resnet(block=block, widths=[64, 128, 256, 512], in_channels=3, **kind).double()
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


def test_macs_without_the_maxpool() -> None:
    """In the first block of stage 1 the first 1x1 convolution, 64 x 64, works on 112 x 112 pixels in the place of
    56 x 56; behind the stride all is as it was, the shortcut too.
    """
    expected = _macs_of_resnet50(stride_in_3x3=True) + 64 * 64 * (112**2 - 56**2)
    assert num_macs(_on_meta("resnet50_no_maxpool"), (3, 224, 224)) == expected


@pytest.mark.parametrize(("image_size", "maxpool"), [((8, 8), True), ((7, 5), True), ((1, 1), True), ((7, 5), False)])
def test_any_image_size(image_size: tuple[int, int], maxpool: bool) -> None:
    assert _resnet(maxpool=maxpool).eval()(torch.randn(2, 2, *image_size)).shape == (2, 3)


def test_a_block_halves_the_image_in_the_place_of_the_maxpool() -> None:
    x_BCHW = torch.randn(2, 4, 12, 9)
    pooled, blocked = _resnet(), _resnet(maxpool=False)
    assert pooled.stages.stage1(pooled.stem.maxpool(x_BCHW)).shape == blocked.stages.stage1(x_BCHW).shape  # type: ignore[operator, union-attr]
    assert not hasattr(blocked.stem, "maxpool")


def test_with_the_head_of_fastai() -> None:
    """ResNet-34 without its 512 x 1000 + 1000, with 532,480 for 10 classes: see test_fastai_head."""
    with torch.device("meta"):
        network = build(model="resnet34_fastai", conv="standard", dataset={**IMAGENET, "num_classes": 10})
    assert num_parameters(network) == 21_797_672 - 513_000 + 532_480
    assert _resnet(head="fastai")(torch.randn(2, 2, 8, 8)).shape == (2, 3)


def test_latent_positions_are_averaged_in_the_head_of_fastai() -> None:
    dk = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})
    assert _resnet(head="fastai", stem_conv=dk)(torch.randn(2, 2, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize(("block", "stride_in"), [("basic", "3x3"), ("bottleneck", "3x3"), ("bottleneck", "1x1")])
def test_downsizing_roles_are_the_convolutions_with_a_stride(block: str, stride_in: str) -> None:
    """The stem, and in stages 2 to 4 the first block's strided convolution and shortcut: seven layers."""
    network = _resnet(block=block, stride_in=stride_in, **dict.fromkeys(("stem_conv", *DOWNSIZING), OPERATOR))
    placed = [layer.operator for layer in network.modules() if isinstance(layer, OperatorLayer)]
    strided = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2)]
    assert placed == strided
    assert len(placed) == 7
    sides = [layer.kernel_size[0] for layer in placed]
    assert sides == [7] + 3 * [int(stride_in[0]), 1]


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_roles_of_a_stage_are_both_its_strided_convolutions(stage: int) -> None:
    network = _resnet(maxpool=False, **dict.fromkeys(DOWNSIZING[2 * stage - 2 : 2 * stage], OPERATOR))
    block = network.stages.get_submodule(f"stage{stage}.block1")
    placed = [layer for layer in network.modules() if isinstance(layer, OperatorLayer)]
    assert placed == [block.residual.conv2, block.shortcut.conv]
    assert [layer.operator.stride for layer in placed] == [(2, 2), (2, 2)]


# Kobayashi 2023: seven layers, the stem and two in each of three blocks; Table 1a: without the three shortcuts;
# Table 1b: without the stem, and by stage; Fig. 5c: a fourth block.
PLACED = {
    "downsizing": 7,
    "downsizing_residual": 4,
    "downsizing_2_3_4": 6,
    "downsizing_3_4": 4,
    "downsizing_4": 2,
    "first": 1,
}


@pytest.mark.parametrize(
    ("model", "placed"),
    [
        ("resnet18", {**PLACED, "all": 17, "alternate": 9}),  # the shortcuts' three stay plain
        ("resnet34", {**PLACED, "all": 33, "alternate": 17}),
        ("resnet34_fastai", {**PLACED, "all": 33, "alternate": 17}),
        ("resnet50", {**PLACED, "all": 17, "alternate": 17}),
        ("resnet50_stride1x1", {**PLACED, "all": 17, "alternate": 17}),
        ("resnet101", {**PLACED, "all": 34, "alternate": 34}),
        ("resnext50", {**PLACED, "all": 17, "alternate": 17}),
        ("resnet34_no_maxpool", {"all": 33, "alternate": 17, "first": 1, "downsizing": 9}),
        ("resnet50_no_maxpool", {"all": 17, "alternate": 17, "first": 1, "downsizing": 9}),
        ("resnet101_no_maxpool", {"all": 34, "alternate": 34, "first": 1, "downsizing": 9}),
        ("resnext50_no_maxpool", {"all": 17, "alternate": 17, "first": 1, "downsizing": 9}),
    ],
)
def test_number_of_operator_layers_of_each_placement(model: str, placed: dict[str, int]) -> None:
    placements = config_files.load("model", model)["placements"].keys() - {"none"}
    conv = config_files.load("conv", "standard")
    assert {one: num_operator_layers(_on_meta(model, {**conv, "placement": one})) for one in placements} == placed


@pytest.mark.parametrize(
    ("model", "num_residual", "num_shortcut"), [("resnet50", 3, 3), ("resnext50", 3, 3), ("resnext50_no_maxpool", 4, 4)]
)
def test_extra_parameters_of_the_disentangled_convolution(model: str, num_residual: int, num_shortcut: int) -> None:
    """One sigma for each input channel: 3 of the stem; 64 only where stage 1 halves, else those of the stage before."""
    strided = {
        "resnet50": [128, 256, 512],
        "resnext50": [256, 512, 1024],
        "resnext50_no_maxpool": [128, 256, 512, 1024],
    }
    before = [64, 256, 512, 1024][-num_shortcut:]
    extra = num_parameters(_on_meta(model, "disentangled")) - num_parameters(_on_meta(model))
    assert len(strided[model]) == num_residual
    assert extra == 3 + sum(strided[model]) + sum(before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_blocks": [1, 1, 1]}, r"must be those of 4 stages, got \[1, 1, 1\] and \[4, 6, 8, 10\]"),
        ({"num_blocks": [1, 0, 1, 1]}, "`num_blocks`, at least 1, and `widths` must be"),
        ({"widths": [4]}, r"must be those of 4 stages, got \[1, 2, 1, 1\] and \[4\]"),
        ({"block": "basic", "stride_in": "1x1"}, "`stride_in` must be '3x3' where `block` is 'basic'"),
        ({"block": "basic", "groups": 2}, "must be 1 and 64 where `block` is 'basic', got 2 and 64"),
        ({"block": "basic", "width_per_group": 4}, "must be 1 and 64 where `block` is 'basic', got 1 and 4"),
    ],
)
def test_sizes_wrong(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _resnet(**changes)


def test_a_kind_of_block_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"`block` of model 'resnet18' must be 'basic' or 'bottleneck', got 'wide'"):
        build(model={**config_files.load("model", "resnet18"), "block": "wide"}, conv="standard", dataset=IMAGENET)
