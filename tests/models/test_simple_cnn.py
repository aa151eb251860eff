import math

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import operator_conv, plain_conv
from convrepro.models import SimpleCNN, build, num_parameters

PLAIN = plain_conv()
DK = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})


def _simple(*convs: object, image_size: tuple[int, int] = (8, 8), kernel_size: int = 3) -> SimpleCNN:
    roles = dict(zip(("conv1", "conv2"), convs or [PLAIN] * 2, strict=True))
    sizes = {"filters": 4, "hidden": 5, "dropout": 0.5, "num_classes": 3, "in_channels": 2}
    return SimpleCNN(**roles, **sizes, kernel_size=kernel_size, image_size=image_size)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("image_size", "in_channels", "kernel_size", "expected"),  # with the 640 running statistics, as Keras counts
    [
        ([28, 28], 1, 3, 1_619_242),
        ([28, 28], 1, 5, 1_636_138),
        ([28, 28], 1, 7, 1_661_482),
        ([28, 28], 1, 9, 1_695_274),
        ([32, 32], 3, 9, 2_191_978),
        ([60, 60], 1, 7, 7_428_650),
    ],
)
def test_parameters_of_the_authors_network(
    image_size: list[int], in_channels: int, kernel_size: int, expected: int
) -> None:
    """The adaptive network has 64 more, one for each of its filters."""
    model = {**config_files.load("model", "simple_cnn"), "kernel_size": kernel_size}
    dataset = {"num_classes": 10, "in_channels": in_channels, "image_size": image_size}
    standard, adaptive = (build(model=model, conv=conv, dataset=dataset) for conv in ("standard", "aconv"))
    assert num_parameters(standard) == expected - 640
    assert num_parameters(adaptive) == expected - 640 + 64
    running = (buffer.numel() for name, buffer in standard.named_buffers() if "running" in name)
    assert sum(running) == 640


@pytest.mark.parametrize("image_size", [(2, 3), (9, 6), (28, 28)])
@pytest.mark.parametrize("kernel_size", [1, 3, 9])
def test_any_image_that_survives_the_pooling(image_size: tuple[int, int], kernel_size: int) -> None:
    network = _simple(image_size=image_size, kernel_size=kernel_size)
    assert network(torch.randn(2, 2, *image_size)).shape == (2, 3)


def test_image_too_small() -> None:
    with pytest.raises(ValueError, match=r"`image_size` must be at least 2 x 2, got 8 x 1"):
        _simple(image_size=(8, 1))


@pytest.mark.parametrize("kernel_size", [4, 0])
def test_a_kernel_that_has_no_middle(kernel_size: int) -> None:
    with pytest.raises(ValueError, match=rf"`kernel_size` must be odd and positive, got {kernel_size}"):
        _simple(kernel_size=kernel_size)


def test_batch_normalisation_is_that_of_keras() -> None:
    """Momentum 0.99 there is what is kept, 0.01 here what is taken."""
    norms = [layer for layer in _simple().modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(1e-3, 0.01)] * 3


def test_order_of_the_layers() -> None:
    """Sec. 4.2: a max-pool behind both convolutions, a hidden layer between two dropouts."""
    layers = [name for part in _simple().children() for name, _ in part.named_children()]
    assert layers == [
        "conv1", "bnorm1", "relu", "conv2", "bnorm2", "relu", "maxpool",
        "flatten", "dropout1", "hidden", "bnorm", "relu", "dropout2", "classifier",
    ]  # fmt: skip


def test_linear_layers_start_he_uniform() -> None:
    """64 inputs to 5 units: within sqrt(6 / 64) of 0."""
    hidden = _simple().head.hidden
    assert hidden.in_features == 4 * 4 * 4
    assert 0.9 * math.sqrt(6 / 64) < hidden.weight.abs().max() <= math.sqrt(6 / 64)
    assert not hidden.bias.any()


@pytest.mark.parametrize(
    ("convs", "averaged"),  # layers that end with an average
    [
        ((PLAIN, PLAIN), []),
        ((DK, PLAIN), ["layer2"]),
        ((PLAIN, DK), ["layer2"]),
        ((DK, DK), ["layer1", "layer2"]),
    ],
)
def test_where_latent_positions_are_averaged(convs: tuple[object, ...], averaged: list[str]) -> None:
    network = _simple(*convs)
    assert [name for name, layer in network.named_children() if hasattr(layer, "latent_average")] == averaged
    assert network(torch.randn(2, 2, 8, 8)).shape == (2, 3)
