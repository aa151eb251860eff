import math
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import ConvFactory, DynamicKernelConv2d, OperatorLayer, operator_conv, plain_conv

DK = {"about": "", "name": "dk", "_target_": "convrepro.conv.DynamicKernelConv2d", "placement": "alternate"}


def test_plain_conv_starts_as_he_et_al() -> None:
    """Var = 2 / (k^2 C); 5 standard deviations of the variance of n = 128 * 64 * 9 values."""
    torch.manual_seed(0)
    conv = plain_conv()(64, 128, 3, padding=1)
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is None
    deviations = 5 * math.sqrt(2 / conv.weight.numel())
    assert conv.weight.square().mean().item() * 9 * 64 / 2 == pytest.approx(1, abs=deviations)


@pytest.mark.parametrize(
    "conv", [plain_conv(), operator_conv({"_target_": "torch.nn.Conv2d", "padding_mode": "reflect"})]
)
def test_groups_and_bias_are_asked_for_by_the_network(conv: ConvFactory) -> None:
    for layer, groups, has_bias in ((conv(4, 8, 3, groups=2, bias=True), 2, True), (conv(4, 8, 3), 1, False)):
        made = layer.operator if isinstance(layer, OperatorLayer) else layer
        assert isinstance(made, nn.Conv2d)
        assert (made.groups, made.bias is not None) == (groups, has_bias)


def test_bias_of_a_plain_convolution_starts_at_zero() -> None:
    assert not plain_conv()(4, 8, 3, bias=True).bias.any()  # type: ignore[union-attr, operator]


def test_groups_of_a_config_do_not_contradict_the_network() -> None:
    conv = operator_conv({"_target_": "torch.nn.Conv2d", "groups": 2})
    assert conv(4, 8, 3).operator.groups == 2  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"`groups` must be left to the network, which has 4 here, got 2\."):
        conv(4, 8, 3, groups=4)


def test_operator_gets_its_arguments_and_the_geometry_of_the_network() -> None:
    layer = operator_conv({**DK, "hidden": 3, "points": 5, "init_mode": "fan_out"})(3, 8, 3, stride=2, padding=1)
    assert isinstance(layer, OperatorLayer)
    operator = layer.operator
    assert isinstance(operator, DynamicKernelConv2d)
    assert (operator.hidden, operator.pieces, operator.points, operator.init_mode) == (3, 2, 5, "fan_out")
    assert (operator.stride, operator.padding, operator.bias) == ((2, 2), (1, 1), None)


@pytest.mark.parametrize(
    ("config", "num_latent"),
    [
        (DK, 6),
        ({**DK, "points": 5}, 10),
        ({**DK, "pieces": 1, "points": 1}, 1),
        ({"_target_": "torch.nn.Conv2d", "placement": "all"}, 1),
    ],
)
def test_num_latent(config: dict[str, object], num_latent: int) -> None:
    """The batch grows by what the factory says, also where that is 1 and the operator's result still 5-D."""
    conv = operator_conv(config)
    assert conv.num_latent == num_latent
    assert conv(3, 8, 3, padding=1)(torch.randn(2, 3, 5, 5)).shape == (2 * num_latent, 8, 5, 5)


def test_plain_conv_creates_no_latent_positions() -> None:
    assert plain_conv().num_latent == 1


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_latent_positions_of_one_image_stand_together(memory_format: torch.memory_format) -> None:
    layer = operator_conv(DK)(3, 8, 3, padding=1).to(memory_format=memory_format)
    x_BCHW = torch.randn(2, 3, 5, 5).to(memory_format=memory_format)
    folded_XCHW, y_BOLHW = layer(x_BCHW), layer.operator(x_BCHW)
    assert folded_XCHW.is_contiguous(memory_format=memory_format)
    for image in range(2):
        for position in range(6):
            assert torch.equal(folded_XCHW[6 * image + position], y_BOLHW[image, :, position])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_folding_keeps_the_memory_format(memory_format: torch.memory_format) -> None:
    layer = operator_conv({**DK, "pieces": 1})(3, 8, 1).to(memory_format=memory_format)
    gradients = []
    convolve = F.conv2d

    def spy(*args: Any, **kwargs: Any) -> torch.Tensor:
        y_BXHW = convolve(*args, **kwargs)
        y_BXHW.register_hook(gradients.append)
        return y_BXHW

    with patch.object(F, "conv2d", spy):
        folded_XCHW = layer(torch.randn(2, 3, 5, 5).to(memory_format=memory_format))
    folded_XCHW.backward(torch.randn_like(folded_XCHW))
    assert [gradient.is_contiguous(memory_format=memory_format) for gradient in gradients] == [True]


def test_folding_copies_nothing_in_nchw() -> None:
    layer = operator_conv(DK)(3, 8, 3, padding=1)
    storages = []
    layer.operator.register_forward_hook(lambda *call: storages.append(call[2].untyped_storage().data_ptr()))
    folded_XCHW = layer(torch.randn(2, 3, 5, 5))
    assert [folded_XCHW.untyped_storage().data_ptr()] == storages


def test_key_unknown() -> None:
    with pytest.raises(ValueError, match=r"conv 'dk' takes no key 'hiden', did you mean 'hidden'\?"):
        operator_conv({**DK, "hiden": 4})


@pytest.mark.parametrize("key", ["kernel_size", "stride", "padding", "bias"])
def test_key_of_the_network(key: str) -> None:
    with pytest.raises(ValueError, match=f"conv 'dk' takes no key '{key}'"):
        operator_conv({**DK, key: 1})


def test_value_of_wrong_type() -> None:
    with pytest.raises(ValueError, match=r"`hidden` of conv 'dk' must be int, got '4'"):
        operator_conv({**DK, "hidden": "4"})


def test_target_missing() -> None:
    with pytest.raises(ValueError, match=r"conv 'dk' lacks the key '_target_'"):
        operator_conv({"name": "dk"})


def test_target_outside_the_allowed_packages() -> None:
    with pytest.raises(ValueError, match=r"`_target_` must lie in .*, got 'os.system'"):
        operator_conv({"_target_": "os.system"})
