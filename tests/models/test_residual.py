import pytest
import torch
from torch import nn

from convrepro.conv import operator_conv, plain_conv
from convrepro.models.residual import ConvLayer, ResidualBlock

PLAIN = plain_conv()
DK = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})


def test_a_block_is_relu_of_the_sum_of_its_two_ways() -> None:
    torch.manual_seed(0)
    layers = [
        ConvLayer(conv=PLAIN, out_channels=4, kernel_size=3),
        ConvLayer(conv=PLAIN, out_channels=2, kernel_size=3),
    ]
    block = ResidualBlock(layers, PLAIN, 2, num_latent=1).double().eval()
    conv1, conv2 = block.residual.conv1, block.residual.conv2
    x_BCHW = torch.randn(2, 2, 5, 6, dtype=torch.float64)
    scale = (1 + 1e-5) ** -0.5  # batch normalisation as it starts: mean 0, variance 1, eps 1e-5
    expected = torch.relu(x_BCHW + scale * conv2(torch.relu(scale * conv1(x_BCHW))))
    torch.testing.assert_close(block(x_BCHW), expected)


def test_groups_of_a_layer_are_those_of_its_convolution() -> None:
    layers = [ConvLayer(conv=PLAIN, out_channels=4, kernel_size=3, groups=groups) for groups in (1, 2)]
    block = ResidualBlock(layers, PLAIN, 4, num_latent=1)
    assert [block.residual.conv1.groups, block.residual.conv2.groups] == [1, 2]


@pytest.mark.parametrize(
    ("out_channels", "stride", "is_identity"), [(4, 1, True), (4, 2, False), (6, 1, False), (6, 2, False)]
)
def test_a_shortcut_has_a_convolution_where_the_shape_changes(
    out_channels: int, stride: int, is_identity: bool
) -> None:
    layer = ConvLayer(conv=PLAIN, out_channels=out_channels, kernel_size=3, stride=stride)
    block = ResidualBlock([layer], PLAIN, 4, num_latent=1)
    assert isinstance(block.shortcut, nn.Identity) == is_identity
    assert block(torch.randn(2, 4, 7, 7)).shape == (2, out_channels, -(-7 // stride), -(-7 // stride))


def test_latent_positions_of_both_ways_must_agree() -> None:
    layer = ConvLayer(conv=DK, out_channels=4, kernel_size=3)
    assert ResidualBlock([layer], PLAIN, 4, num_latent=6).num_latent == 6
    with pytest.raises(ValueError, match="got 1 on the shortcut and 6 on the residual path"):
        ResidualBlock([layer], PLAIN, 4, num_latent=1)
