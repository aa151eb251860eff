"""Closed forms against the networks themselves."""

import pytest
import torch
from torch import nn

from convrepro.audits import counts, facts
from convrepro.conv import DisentangledConv2d
from convrepro.models import build, num_parameters

DATASETS = facts.load()["datasets"]


def _dataset(name: str) -> dict[str, object]:
    channels, *image_size = DATASETS[name]["image"]
    return {"num_classes": DATASETS[name]["num_classes"], "in_channels": channels, "image_size": image_size}


def _built(model: str, conv: str, dataset: str, **changes: int) -> nn.Module:
    from convrepro import config_files

    with torch.device("meta"):
        return build(model={**config_files.load("model", model), **changes}, conv=conv, dataset=_dataset(dataset))


@pytest.mark.parametrize("dataset", ["fashion_mnist", "cifar10", "cifar100"])
@pytest.mark.parametrize("conv", ["standard", "dk", "dk_first"])
@pytest.mark.parametrize("model", ["cnn4", "resnet20", "resnet32", "densenet40", "densenet52"])
def test_networks_of_the_dynamic_kernel_paper(model: str, conv: str, dataset: str) -> None:
    assert facts.network_size(model, dataset, conv) == num_parameters(_built(model, conv, dataset))


@pytest.mark.parametrize("kernel_size", [3, 9])
@pytest.mark.parametrize("conv", ["standard", "aconv"])
@pytest.mark.parametrize(("model", "dataset"), [("simple_cnn", "mnist_cluttered"), ("simple_cnn", "lfw")])
def test_the_simple_network(model: str, dataset: str, conv: str, kernel_size: int) -> None:
    count = facts.network_size(model, dataset, conv, kernel_size=kernel_size)
    assert count == num_parameters(_built(model, conv, dataset, kernel_size=kernel_size))


@pytest.mark.parametrize("kernel_size", [3, 7])
@pytest.mark.parametrize("conv", ["standard", "aconv"])
@pytest.mark.parametrize(("model", "dataset"), [("aconv_resnet8", "mnist"), ("aconv_resnet20", "cifar10")])
def test_the_doubling_resnet(model: str, dataset: str, conv: str, kernel_size: int) -> None:
    count = facts.network_size(model, dataset, conv, kernel_size=kernel_size)
    assert count == num_parameters(_built(model, conv, dataset, kernel_size=kernel_size))


def test_the_inputs_that_are_smoothed_in_a_resnet50() -> None:
    """The disentangled convolutions of the network that is built, by their channels, and the sum of 2 k C H W."""
    network = _built("resnet50", "disentangled", "imagenet")
    channels = sorted(layer.in_channels for layer in network.modules() if isinstance(layer, DisentangledConv2d))
    inputs = facts.load()["smoothed_inputs"]["resnet50"]
    assert channels == sorted(size[0] for size in inputs)
    assert counts.smoothing_macs(inputs, taps=9) == 40_642_560
    assert counts.smoothing_macs(inputs, taps=3) == 13_547_520


def test_the_example_of_a_dynamic_kernel() -> None:
    """3 to 8 channels: 3 * 8 * 4 weights, and G, B, D of 4 * 9 for 2 pieces and 8 output channels."""
    assert counts.dynamic_kernel(3, 8, 3, hidden=4, pieces=2) == 96 + 3 * 4 * 9 * 2 * 8
