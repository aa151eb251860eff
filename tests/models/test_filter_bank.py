import pytest
import torch

from convrepro.conv import operator_conv, plain_conv
from convrepro.models import FilterBank, build, num_parameters

IMAGE = {"num_classes": 9, "in_channels": 1, "image_size": [28, 28]}


def test_nine_kernels_of_81_numbers_and_as_many_apertures() -> None:
    assert num_parameters(build(model="filter_bank", conv="standard", dataset=IMAGE)) == 9 * 81
    assert num_parameters(build(model="filter_bank", conv="aconv", dataset=IMAGE)) == 9 * 81 + 9


def test_a_kernel_with_a_one_in_its_middle_answers_with_the_image() -> None:
    network = FilterBank(plain_conv(), kernel_size=5, num_filters=2, in_channels=1)
    with torch.no_grad():
        network.layer.conv.weight.zero_()[1, 0, 2, 2] = 1.0
    x_BCHW = torch.randn(3, 1, 6, 7)
    y_BFHW = network(x_BCHW)
    assert y_BFHW.shape == (3, 2, 6, 7)
    assert not y_BFHW[:, 0].any()
    assert torch.equal(y_BFHW[:, 1], x_BCHW[:, 0])


def test_latent_positions_are_averaged() -> None:
    dk = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})
    network = FilterBank(dk, kernel_size=3, num_filters=2, in_channels=1)
    assert network(torch.randn(3, 1, 6, 7)).shape == (3, 2, 6, 7)


def test_a_kernel_that_has_no_middle() -> None:
    with pytest.raises(ValueError, match=r"`kernel_size` must be odd and positive, got 8"):
        FilterBank(plain_conv(), kernel_size=8, num_filters=2, in_channels=1)
