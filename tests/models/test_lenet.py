from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import operator_conv, plain_conv
from convrepro.models import LeNet, build, num_operator_layers, num_parameters

GREY = {"num_classes": 10, "in_channels": 1, "image_size": [28, 28]}
COLOUR = {"num_classes": 10, "in_channels": 3, "image_size": [32, 32]}


def _lenet(conv1: Any = None, conv2: Any = None, **changes: Any) -> LeNet:
    sizes = {"filters": [2, 3], "hidden": [5, 4], "num_classes": 3, "in_channels": 2, "image_size": (32, 32)}
    return LeNet(conv1 or plain_conv(), conv2 or plain_conv(), **{**sizes, **changes})


def test_parameters_of_lenet_5_with_all_connections() -> None:
    """6 (25 + 1) + 16 (6 25 + 1) + 120 (400 + 1) + 84 (120 + 1) + 10 (84 + 1) = 61,706; three colours 300 more."""
    assert num_parameters(build(model="lenet", conv="standard", dataset=GREY)) == 61_706
    assert num_parameters(build(model="lenet", conv="standard", dataset=COLOUR)) == 61_706 + 6 * 25 * 2


def test_both_convolutions_become_analytic() -> None:
    """Sec. 4.2, "its two convolutional layers"; the weights of 102 plain 5x5 kernels are 2,550."""
    standard, analytic = (build(model="lenet", conv=conv, dataset=GREY) for conv in ("standard", "acl"))
    assert num_operator_layers(analytic) == 2
    kernels = sum(
        layer.num_kernel_parameters() for layer in analytic.modules() if hasattr(layer, "num_kernel_parameters")
    )
    assert num_parameters(standard) - num_parameters(analytic) == 2550 - kernels > 0


def test_small_images_lie_in_the_middle_of_32_by_32() -> None:
    """LeCun et al. 1998: MNIST's 28 x 28 in the middle of the field that the network sees."""
    torch.manual_seed(0)
    small, large = _lenet(image_size=(28, 28)), _lenet()
    large.load_state_dict(small.state_dict())
    x_BCHW = torch.randn(2, 2, 28, 28)
    torch.testing.assert_close(small(x_BCHW), large(nn.functional.pad(x_BCHW, (2, 2, 2, 2))))


@pytest.mark.parametrize("image_size", [(1, 1), (8, 8), (29, 31), (50, 37)])
def test_any_image(image_size: tuple[int, int]) -> None:
    assert _lenet(image_size=image_size)(torch.randn(2, 2, *image_size)).shape == (2, 3)


def test_order_of_the_layers() -> None:
    layers = [name for part in _lenet().children() for name, _ in part.named_children()]
    assert layers == [
        "conv1", "relu", "maxpool", "conv2", "relu", "maxpool",
        "flatten", "hidden1", "relu1", "hidden2", "relu2", "classifier",
    ]  # fmt: skip


def test_latent_positions_end_before_the_linear_layers() -> None:
    dk = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})
    for convs in ((dk, None), (None, dk), (dk, dk)):
        assert _lenet(*convs)(torch.randn(2, 2, 32, 32)).shape == (2, 3)


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"`filters` and `hidden` must have 2 numbers each, got \[2\], \[5, 4\]"):
        _lenet(filters=[2])
