import pytest
import torch
from torch import nn

from convrepro.conv import operator_conv, plain_conv
from convrepro.models import CNN4, build, num_macs, num_operator_layers, num_parameters

CIFAR10 = {"num_classes": 10, "in_channels": 3, "image_size": [32, 32]}
DK = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})


def test_parameters_that_are_not_trained_do_not_count() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))  # 9 and 6; running statistics are buffers
    assert num_parameters(module) == 15
    module[0].requires_grad_(False)
    assert num_parameters(module) == 6


@pytest.mark.parametrize(
    ("module", "size", "expected"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (3, 5, 6), 8 * 3 * 9 * 5 * 6),
        (nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4), (4, 8, 8), 8 * 1 * 9 * 4 * 4),
        (nn.Conv2d(2, 2, (1, 3), dilation=2), (2, 7, 7), 2 * 2 * 3 * 7 * 3),
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), (3, 2, 2), 12 * 5),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2)), (1, 4, 4), 2 * 16),
        (DK(3, 8, 3, padding=1), (3, 5, 6), 6 * 8 * 3 * 9 * 5 * 6),  # without the generation of kernels
    ],
)
def test_macs_by_hand(module: nn.Module, size: tuple[int, int, int], expected: int) -> None:
    assert num_macs(module, size) == expected


def _macs_of_cnn4(num_latent: int) -> int:
    """Four 3x3 convolutions at 32, 32, 16, 8 pixels; averages stand before the third and the classifier."""
    positions = (3 * 32 * 32, 64 * 32 * 32, 64 * 16 * 16, 64 * 8 * 8)
    return num_latent * sum(64 * 9 * inputs for inputs in positions) + 64 * 8 * 8 * 10


@pytest.mark.parametrize(("conv", "num_latent"), [("standard", 1), ("dk", 6), ("dk_first", 6)])
def test_macs_of_cnn4(conv: str, num_latent: int) -> None:
    """Both forms of DK-CNN cost six times the baseline: each layer takes or makes six latent positions."""
    assert num_macs(build(model="cnn4", conv=conv, dataset=CIFAR10), (3, 32, 32)) == _macs_of_cnn4(num_latent)


def test_macs_of_resnet20() -> None:
    """40.55 million of He et al. 2016 and the shortcuts, 16 x 32 and 32 x 64 at 16 and 8 pixels."""
    stem, linear = 27 * 16 * 32**2, 640
    stage1 = 6 * 9 * 16 * 16 * 32**2
    stage2 = (9 * 16 * 32 + 5 * 9 * 32 * 32 + 16 * 32) * 16**2
    stage3 = (9 * 32 * 64 + 5 * 9 * 64 * 64 + 32 * 64) * 8**2
    network = build(model="resnet20", conv="standard", dataset=CIFAR10)
    assert num_macs(network, (3, 32, 32)) == stem + stage1 + stage2 + stage3 + linear == 40_813_184


def test_counting_leaves_the_network_as_it_was() -> None:
    network = build(model="cnn4", conv="dk", dataset=CIFAR10)
    network.layer1.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    num_macs(network, (3, 32, 32))
    assert network.training
    assert not network.layer1.training
    assert network.layer2.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_operator_layers() -> None:
    plain = plain_conv()
    network = CNN4(DK, plain, plain, DK, filters=4, num_classes=2, in_channels=1, image_size=(8, 8))
    assert num_operator_layers(network) == 2
